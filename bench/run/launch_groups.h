/* launch_groups.h: which labels of a launch run side by side. */
#ifndef MUX_LAUNCH_GROUPS_H
#define MUX_LAUNCH_GROUPS_H

#include "bench/run/launch.h"

/* Makes launch->trials and launch->count from the order in which labels are started. Labels
 * compared in slices share a group as long as their processes, threads and memory fit the host;
 * each further group has the baseline in it once more. Without slices every label has a group to
 * itself.
 */
void launch_group(struct launch *launch, const struct plan_trial *order);
int launch_group_count(const struct launch *launch);

#endif
