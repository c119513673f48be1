import type { Budget } from '../api/types.ts';
import { compact } from '../format.ts';
import { Meter } from './meter.tsx';

const named = ({ unit, period, model }: Budget): string =>
  `${unit}${period === 'total' ? '' : ` a ${period}`}${model ? `, ${model}` : ''}`;

/** What is left of each; without a number of what was spent, the limit. */
export function Budgets({ of }: { readonly of: readonly Budget[] | null | undefined }) {
  if (!of || of.length === 0) return <span class="muted">no limit</span>;
  return (
    <ul class="budgets">
      {of.map(budget => (
        <li key={named(budget)}>
          <Left budget={budget} />
        </li>
      ))}
    </ul>
  );
}

function Left({ budget }: { readonly budget: Budget }) {
  const { limit, spent } = budget;
  if (spent === undefined) return <>{`${compact(limit)} ${named(budget)}`}</>;
  const text = `${compact(Math.max(limit - spent, 0))} of ${compact(limit)} ${named(budget)} left`;
  return <Meter name={`Spent: ${named(budget)}`} share={limit === 0 ? 1 : spent / limit} text={text} warns />;
}
