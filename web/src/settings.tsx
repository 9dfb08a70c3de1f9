// Which model answers, in which role, and what it is told first.
import type { Model, Prompt } from './api';
import { useWords } from './context';

interface Props {
    models: Model[];
    model: string;
    setModel(id: string): void;
    prompts: Prompt[];
    prompt: string;
    setPrompt(id: string): void;
    variables: Record<string, string>;
    setVariables(values: Record<string, string>): void;
    system: string;
    setSystem(text: string): void;
}

/// The {names} of a template that the message itself does not fill.
export function variablesOf(prompt: Prompt | undefined): string[] {
    const found = (prompt?.user_template ?? '').matchAll(/\{([A-Za-z_]\w*)\}/g);
    const names = new Set([...found].map((match) => match[1] ?? ''));
    names.delete('user');
    names.delete('system');
    return [...names];
}

export function Settings(props: Props) {
    const t = useWords();
    const chosen = props.prompts.find((prompt) => prompt.id === props.prompt);
    return (
        <section class="settings" aria-labelledby="settings-title">
            <h2 id="settings-title">{t.settings}</h2>
            <label for="model">{t.model}</label>
            <select
                id="model"
                value={props.model}
                disabled={props.models.length === 0}
                onChange={(event) => props.setModel(event.currentTarget.value)}
            >
                {props.models.length === 0 && <option value="">{t.noModel}</option>}
                {props.models.map((model) => (
                    <option key={model.id} value={model.id}>{model.id}</option>
                ))}
            </select>
            <label for="prompt">{t.prompt}</label>
            <select
                id="prompt"
                value={props.prompt}
                onChange={(event) => props.setPrompt(event.currentTarget.value)}
            >
                <option value="">{t.noPrompt}</option>
                {props.prompts.map((prompt) => (
                    <option key={prompt.id} value={prompt.id}>{prompt.name}</option>
                ))}
            </select>
            {variablesOf(chosen).map((name) => (
                <Variable key={name} name={name} {...props} />
            ))}
            <label for="system">{t.system}</label>
            <textarea
                id="system"
                rows={3}
                value={props.system}
                placeholder={t.systemHint}
                onInput={(event) => props.setSystem(event.currentTarget.value)}
            />
        </section>
    );
}

function Variable({ name, variables, setVariables }: Props & { name: string }) {
    const t = useWords();
    const id = `variable-${name}`;
    return (
        <>
            <label for={id}>{t.variable(name)}</label>
            <input
                id={id}
                value={variables[name] ?? ''}
                onInput={(event) =>
                    setVariables({ ...variables, [name]: event.currentTarget.value })
                }
            />
        </>
    );
}
