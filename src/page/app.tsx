import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { KeysDialog } from './keys-dialog.tsx';
import { Nav } from './nav.tsx';
import { useRoute } from './route.ts';
import { type Keys, noKeys, SessionContext } from './session.ts';
import { Audit } from './views/audit.tsx';
import { Chat } from './views/chat/chat.tsx';
import { Live } from './views/live.tsx';
import { Models } from './views/models.tsx';
import { PipelineRunView } from './views/pipeline-run.tsx';
import { Pipelines } from './views/pipelines.tsx';
import { Requests } from './views/requests.tsx';
import { TenantView } from './views/tenant.tsx';
import { Tenants } from './views/tenants.tsx';
import { Usage } from './views/usage.tsx';

/** The frame around all views. The chat is kept while others are looked at: an answer goes on meanwhile. */
export function App() {
  const [keys, setKeys] = useState<Keys>(noKeys);
  const [asking, setAsking] = useState(false);
  const route = useRoute();
  const session = useMemo(() => ({ keys, setKeys, askForKeys: () => setAsking(true) }), [keys]);
  const operator = operatorView(route);
  return (
    <SessionContext.Provider value={session}>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <Nav current={operator ? route[0]! : 'chat'} />
      <main id="main" tabIndex={-1}>
        <div hidden={operator !== undefined} class="chat-place">
          <Chat shown={operator === undefined} />
        </div>
        {operator}
      </main>
      {asking && <KeysDialog onClose={() => setAsking(false)} />}
    </SessionContext.Provider>
  );
}

const operatorViews: Readonly<Record<string, () => ComponentChildren>> = {
  live: () => <Live />,
  models: () => <Models />,
  tenants: () => <Tenants />,
  usage: () => <Usage />,
  audit: () => <Audit />,
  requests: () => <Requests />,
  pipelines: () => <Pipelines />,
};

function operatorView([name = '', id]: readonly string[]): ComponentChildren | undefined {
  if (name === 'tenants' && id !== undefined) return <TenantView key={id} id={id} />;
  if (name === 'pipelines' && id !== undefined) return <PipelineRunView key={id} id={id} />;
  return Object.hasOwn(operatorViews, name) ? operatorViews[name]?.() : undefined;
}
