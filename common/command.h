/* command.h: the commands of muxbench. Each is called with argv[0] = its own name, parses with
 * mux_parse_args (common/cli.h) and returns an exit status (enum mux_exit). */
#ifndef MUX_COMMAND_H
#define MUX_COMMAND_H

int cmd_list(int argc, char **argv);    /* backends/cmd_list.c */
int cmd_serve(int argc, char **argv);   /* backends/cmd_serve.c */
int cmd_load(int argc, char **argv);    /* loadgen/cmd_load.c */
int cmd_agent(int argc, char **argv);   /* loadgen/cmd_agent.c */
int cmd_merge(int argc, char **argv);   /* loadgen/cmd_merge.c */
int cmd_check(int argc, char **argv);   /* check/cmd_check.c */
int cmd_run(int argc, char **argv);     /* bench/run/cmd_run.c */
int cmd_versus(int argc, char **argv);  /* bench/run/cmd_versus.c */
int cmd_compare(int argc, char **argv); /* bench/results/cmd_compare.c */
int cmd_doctor(int argc, char **argv);  /* bench/run/cmd_doctor.c */
int cmd_floor(int argc, char **argv);   /* bench/run/cmd_floor.c */
int cmd_report(int argc, char **argv);  /* bench/results/cmd_report.c */

#endif
