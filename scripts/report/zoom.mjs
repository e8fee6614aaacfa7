// zoom.mjs: zooming a chart of lines. A range is [from, to] in fractions of the whole axis, along
// its own scale, so that a decade is as wide as any other; ECharts' own dataZoom takes a log axis
// for a linear one and keeps the coarse ticks. Ctrl and wheel zooms at the pointer, dragging moves.
export const WHOLE = [0, 1];
const LEAST = 1 / 256;

const clamp = (from, width) => {
  const start = Math.min(1 - width, Math.max(0, from));
  return [start, start + width];
};
// The range scaled by `factor`, keeping what is at the fraction `at` of it in place.
export function scaled([from, to], at, factor) {
  const width = Math.min(1, Math.max(LEAST, (to - from) * factor));
  return clamp(from + at * (to - from) - at * width, width);
}
export const moved = ([from, to], by) => clamp(from + by * (to - from), to - from);
export const isWhole = ([from, to]) => to - from > 0.9999;

// `attach` lets box be zoomed. card: {zoom: {x, y}, frame: {left, top, width, height} in pixels}.
export function attach(box, card, redraw) {
  const fraction = (event) => {
    const area = box.getBoundingClientRect();
    const x = (event.clientX - area.left - card.frame.left) / card.frame.width;
    const y = 1 - (event.clientY - area.top - card.frame.top) / card.frame.height;
    return [x, y].map((f) => Math.min(1, Math.max(0, f)));
  };
  box.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const [x, y] = fraction(event);
      const factor = 1.0015 ** Math.max(-300, Math.min(300, event.deltaY));
      card.zoom = { x: scaled(card.zoom.x, x, factor), y: scaled(card.zoom.y, y, factor) };
      redraw();
    },
    { passive: false },
  );
  let held = null;
  box.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || (isWhole(card.zoom.x) && isWhole(card.zoom.y))) return;
    held = { at: fraction(event), zoom: card.zoom };
  });
  box.addEventListener('pointermove', (event) => {
    if (held === null || (event.buttons & 1) === 0) return (held = null);
    const [x, y] = fraction(event);
    card.zoom = { x: moved(held.zoom.x, held.at[0] - x), y: moved(held.zoom.y, held.at[1] - y) };
    redraw();
  });
}
