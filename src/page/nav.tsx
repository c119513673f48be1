import { useEffect, useRef } from 'preact/hooks';
import { linkTo } from './route.ts';
import { useSession } from './session.ts';

const views = [
  ['live', 'Live'],
  ['models', 'Models'],
  ['tenants', 'Tenants'],
  ['usage', 'Usage'],
  ['requests', 'Requests'],
  ['pipelines', 'Pipelines'],
  ['audit', 'Audit'],
] as const;

export function Nav({ current }: { readonly current: string }) {
  const { keys, askForKeys } = useSession();
  const list = useRef<HTMLUListElement>(null);
  // On a phone not all views have room.
  useEffect(() => {
    list.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [current]);
  const given = [keys.tenant && 'tenant', keys.admin && 'operator'].filter(Boolean).join(', ');
  return (
    <header class="top">
      <span class="brand">Realm</span>
      <nav aria-label="Views">
        <ul ref={list}>
          <Item name="chat" title="Chat" current={current} />
          <li class="divider" aria-hidden="true" />
          {views.map(([name, title]) => (
            <Item key={name} name={name} title={title} current={current} />
          ))}
        </ul>
      </nav>
      <button type="button" class="keys" onClick={askForKeys}>
        Keys<span class="muted">{given === '' ? '' : `: ${given}`}</span>
      </button>
    </header>
  );
}

function Item({ name, title, current }: { readonly name: string; readonly title: string; readonly current: string }) {
  return (
    <li>
      <a href={linkTo(name)} aria-current={current === name ? 'page' : undefined}>
        {title}
      </a>
    </li>
  );
}
