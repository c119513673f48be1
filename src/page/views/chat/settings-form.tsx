import { useCallback, useEffect, useState } from 'preact/hooks';
import type { Client } from '../../api/client.ts';
import type { List } from '../../api/types.ts';
import { Check, Field, Select, TextArea } from '../../ui/field.tsx';
import { Notice } from '../../ui/notice.tsx';
import { useLoad } from '../../use-load.ts';
import type { Settings } from './settings.ts';

interface Props {
  readonly client: Client;
  readonly settings: Settings;
  onSettings(settings: Settings): void;
}

export function SettingsForm({ client, settings, onSettings }: Props) {
  const load = useCallback(
    (signal: AbortSignal) => client.get<List<{ readonly id: string }>>('/v1/models', {}, signal),
    [client],
  );
  const { data: models, error } = useLoad(load);
  const set =
    <Name extends keyof Settings>(name: Name) =>
    (value: string | boolean) =>
      onSettings({ ...settings, [name]: value });
  const shared = { settings, set };
  const [open] = useState(() => matchMedia('(min-width: 50rem)').matches);
  useEffect(() => {
    const ids = models?.data.map(({ id }) => id) ?? [];
    if (ids[0] !== undefined && !ids.includes(settings.model)) onSettings({ ...settings, model: ids[0] });
  }, [models, settings, onSettings]);
  return (
    <details class="settings" open={open}>
      <summary>Settings</summary>
      <Notice error={error} />
      <Select
        label="Model"
        value={settings.model}
        onValue={set('model')}
        options={(models?.data ?? []).map(({ id }) => [id, id])}
      />
      <TextArea label="System prompt" value={settings.system} onValue={set('system')} />
      <Sampling {...shared} />
      <Shape {...shared} />
      <Tools {...shared} />
      <Check label="Log-probabilities of tokens" checked={settings.logprobs} onChecked={set('logprobs')} />
    </details>
  );
}

interface PartProps {
  readonly settings: Settings;
  set(name: keyof Settings): (value: string | boolean) => void;
}

const numbers = [
  ['temperature', 'Temperature', 0.1],
  ['top_p', 'Top p', 0.05],
  ['top_k', 'Top k', 1],
  ['min_p', 'Min p', 0.05],
  ['repetition_penalty', 'Repetition penalty', 0.05],
  ['max_tokens', 'Most tokens', 1],
  ['seed', 'Seed', 1],
] as const;

function Sampling({ settings, set }: PartProps) {
  return (
    <details>
      <summary>Sampling</summary>
      <div class="grid">
        {numbers.map(([name, label, step]) => (
          <Field
            key={name}
            label={label}
            type="number"
            step={step}
            min={0}
            placeholder="default"
            value={settings[name]}
            onValue={set(name)}
          />
        ))}
      </div>
      <TextArea label="Stop strings" hint="One a line" rows={2} value={settings.stop} onValue={set('stop')} />
    </details>
  );
}

function Shape({ settings, set }: PartProps) {
  return (
    <details>
      <summary>Form of the answer</summary>
      <Select
        label="Form"
        value={settings.format}
        onValue={set('format')}
        options={[
          ['text', 'text'],
          ['json_object', 'any JSON object'],
          ['json_schema', 'JSON of a schema'],
        ]}
      />
      {settings.format === 'json_schema' && (
        <TextArea label="JSON Schema" rows={6} value={settings.schema} onValue={set('schema')} />
      )}
    </details>
  );
}

function Tools({ settings, set }: PartProps) {
  return (
    <details>
      <summary>Tools</summary>
      <TextArea
        label="Functions"
        hint="A JSON list of objects with name, description and parameters"
        rows={6}
        value={settings.tools}
        onValue={set('tools')}
      />
      <Select
        label="Use"
        value={settings.tool_choice}
        onValue={set('tool_choice')}
        options={[
          ['auto', 'as the model likes'],
          ['required', 'always'],
          ['none', 'never'],
        ]}
      />
    </details>
  );
}
