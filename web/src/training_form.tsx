// What a new job is asked for: the examples, the base and how it is to learn. The numbers are the
// server's own defaults, so that what is not touched is what `jikji train` does.
import { useState } from 'preact/hooks';
import type { Model } from './api';
import { useWords } from './context';
import type { Training } from './training_jobs';

const accepted = '.jsonl,.json,.txt,.md';
const matrices = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
const templates = ['auto', 'model', 'alpaca'] as const;

interface Wishes {
    model: string;
    suffix: string;
    epochs: string;
    batch: string;
    rate: string;
    rank: string;
    template: (typeof templates)[number];
    targets: string[];
}

const defaults: Wishes = {
    model: '', suffix: '', epochs: '3', batch: '4', rate: '0.0003', rank: '8',
    template: 'auto', targets: ['q_proj', 'v_proj'],
};

function jobFrom(wishes: Wishes, model: string) {
    const hyperparameters = {
        n_epochs: Number(wishes.epochs),
        batch_size: Number(wishes.batch),
        learning_rate: Number(wishes.rate),
        rank: Number(wishes.rank),
        template: wishes.template,
        target: wishes.targets,
    };
    return {
        model,
        ...(wishes.suffix && { suffix: wishes.suffix }),
        method: { type: 'supervised', supervised: { hyperparameters } },
    };
}

export function StartForm({ training, models }: { training: Training; models: Model[] }) {
    const t = useWords();
    const [round, setRound] = useState(0);  // a new one empties the two fields of files
    const [wishes, setWishes] = useState(defaults);
    const [data, setData] = useState<File>();
    const [validation, setValidation] = useState<File>();
    const [sending, setSending] = useState(false);
    const bases = models.filter((model) => !model.jikji?.base);  // an adapter has one
    const base = wishes.model || (bases[0]?.id ?? '');
    const wish = (some: Partial<Wishes>): void => setWishes((now) => ({ ...now, ...some }));
    const start = async (): Promise<void> => {
        if (!data) return;
        setSending(true);
        if (await training.start({ data, validation }, jobFrom(wishes, base))) {
            setData(undefined);
            setValidation(undefined);
            setRound(round + 1);
        }
        setSending(false);
    };
    return (
        <form
            class="start"
            onSubmit={(event) => {
                event.preventDefault();
                void start();
            }}
        >
            <div key={round} class="wide">
                <FileField id="training-file" label={t.trainingFile} set={setData} />
                <FileField id="validation-file" label={t.validationFile} set={setValidation} />
            </div>
            <Choice
                id="base-model"
                label={t.baseModel}
                value={base}
                options={bases.map(({ id }) => [id, id])}
                set={(model) => wish({ model })}
            />
            <Choice
                id="template"
                label={t.template}
                value={wishes.template}
                options={templates.map((one) => [one, t.templates[one]])}
                set={(template) => wish({ template: template as Wishes['template'] })}
            />
            <Numbers wishes={wishes} wish={wish} />
            <Targets chosen={wishes.targets} set={(targets) => wish({ targets })} />
            <button type="submit" class="main" disabled={!data || sending}>
                {sending ? t.uploading : t.startTraining}
            </button>
        </form>
    );
}

function Numbers({ wishes, wish }: { wishes: Wishes; wish(some: Partial<Wishes>): void }) {
    const t = useWords();
    const field = (id: 'epochs' | 'batch' | 'rate' | 'rank', label: string) => (
        <Field id={id} label={label} value={wishes[id]} set={(to) => wish({ [id]: to })} number />
    );
    return (
        <>
            <Field
                id="suffix"
                label={t.suffix}
                value={wishes.suffix}
                set={(suffix) => wish({ suffix })}
            />
            {field('epochs', t.epochs)}
            {field('batch', t.batchSize)}
            {field('rate', t.learningRate)}
            {field('rank', t.rank)}
        </>
    );
}

function Targets({ chosen, set }: { chosen: string[]; set(targets: string[]): void }) {
    const t = useWords();
    return (
        <fieldset id="targets" class="wide">
            <legend>{t.targets}</legend>
            {matrices.map((name) => (
                <label key={name}>
                    <input
                        type="checkbox"
                        value={name}
                        checked={chosen.includes(name)}
                        onChange={(event) => {
                            const rest = chosen.filter((one) => one !== name);
                            set(event.currentTarget.checked ? [...rest, name] : rest);
                        }}
                    />
                    {name}
                </label>
            ))}
        </fieldset>
    );
}

interface FileProps {
    id: string;
    label: string;
    set(file: File | undefined): void;
}

function FileField({ id, label, set }: FileProps) {
    return (
        <label>
            {label}
            <input
                id={id}
                type="file"
                accept={accepted}
                onChange={(event) => set(event.currentTarget.files?.[0])}
            />
        </label>
    );
}

interface ChoiceProps {
    id: string;
    label: string;
    value: string;
    options: string[][];  // what is sent, and what is read
    set(value: string): void;
}

function Choice({ id, label, value, options, set }: ChoiceProps) {
    return (
        <label>
            {label}
            <select id={id} value={value} onChange={(event) => set(event.currentTarget.value)}>
                {options.map(([sent, read]) => <option key={sent} value={sent}>{read}</option>)}
            </select>
        </label>
    );
}

interface FieldProps {
    id: string;
    label: string;
    value: string;
    set(value: string): void;
    number?: boolean;
}

function Field({ id, label, value, set, number }: FieldProps) {
    return (
        <label>
            {label}
            <input
                id={id}
                value={value}
                {...(number && { inputMode: 'decimal' as const })}
                onInput={(event) => set(event.currentTarget.value)}
            />
        </label>
    );
}
