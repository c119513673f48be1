import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { useScheme } from './scheme.ts';

export interface Series {
  readonly name: string;
  /** One for each time; null where there was none. */
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly title: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
}

const height = 160;
const secondsApart = [1, 2, 5, 10, 15, 30, 60, 120, 300];

/** Lines over time. It is a picture: the numbers stand in a table beside it. */
export function Chart({ title, times, series }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const names = series.map(({ name }) => name).join('\n');
  const scheme = useScheme();
  const data = [times, ...series.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const made = new uPlot(optionsFor(element, names === '' ? [] : names.split('\n')), latest.current, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [names, scheme]);

  useEffect(() => {
    if (plot.current?.data.length === latest.current.length) plot.current.setData(latest.current);
  });

  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} role="img" aria-label={`${title} over the last minutes`} />
      <ul class="legend">
        {series.map(({ name }, i) => (
          <li key={name}>
            <span class={`swatch series-${i + 1}`} /> {name}
          </li>
        ))}
      </ul>
    </figure>
  );
}

function optionsFor(element: HTMLElement, names: readonly string[]): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => resolved(element, style.getPropertyValue(name));
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  return {
    width: element.clientWidth || 300,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      {
        ...axis,
        font: '11px system-ui',
        size: 28,
        space: 70,
        incrs: secondsApart,
        values: (_, ticks) => ticks.map(clock),
      },
      { ...axis, font: '11px system-ui', size: 42 },
    ],
    series: [
      {},
      ...names.map((label, i) => ({ label, stroke: colour(`--series-${i + 1}`), width: 1.5, points: { show: false } })),
    ],
  };
}

/** 14:03:05, in the reader's time. */
const clock = (seconds: number): string => new Date(seconds * 1000).toTimeString().slice(0, 8);

/** A canvas does not know light-dark(); a computed colour is plain. */
function resolved(parent: HTMLElement, value: string): string {
  const probe = document.createElement('span');
  probe.style.color = value;
  parent.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
