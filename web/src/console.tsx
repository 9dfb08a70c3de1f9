// The page: a conversation, and beside it its settings and the documents.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { chatModels, prompts, stats, type Model, type Prompt, type Stats } from './api';
import { Composer } from './composer';
import { useWords, WordsContext } from './context';
import { useConversation, type Turn } from './conversation';
import { Documents } from './documents';
import { KeyForm } from './key';
import { useLibrary } from './library';
import { onRefused, useKey, useLanguage } from './server';
import { Settings, variablesOf } from './settings';
import { Training } from './training';
import { useTraining } from './training_jobs';
import { Turns } from './turns';
import { firstLanguage, rememberLanguage, words, type Language } from './words';

const languages: Language[] = ['ko', 'en'];

function Console() {
    const [language, setLanguage] = useState(firstLanguage);
    const [session, setSession] = useState(1);
    const [locked, setLocked] = useState(false);
    const [panelOpen, setPanelOpen] = useState(false);
    const [view, setView] = useState<View>('chat');
    const t = words[language];
    useLanguage(language);
    onRefused(() => setLocked(true));
    useEffect(() => {
        document.documentElement.lang = language;
        document.title = t.title;
        rememberLanguage(language);
    }, [language]);

    const library = useLibrary(session);
    const [made, setMade] = useState<Made>({ model: '' });
    const choice = useChoice(session, made);
    const training = useTraining(session, view === 'training');
    const conversation = useConversation();
    const figures = useFigures(session, conversation.working);
    const [text, setText] = useState('');
    const [fromDocuments, setFromDocuments] = useState(false);

    const send = (question: string): void => {
        const store = fromDocuments ? library.store : undefined;
        void conversation.send({ question, store, ...choice.asked() });
    };
    const retry = (turn: Turn): void => {
        conversation.forget(turn.id);
        send(turn.question);
    };
    return (
        <WordsContext.Provider value={t}>
            <Top
                language={language}
                setLanguage={setLanguage}
                empty={conversation.turns.length === 0}
                clear={conversation.clear}
                panelOpen={panelOpen}
                setPanelOpen={setPanelOpen}
                view={view}
                setView={setView}
            />
            {view === 'training' && (
                <main>
                    <Training
                        training={training}
                        models={choice.settings.models}
                        talkTo={(model) => {
                            setMade({ model });
                            setView('chat');
                        }}
                    />
                </main>
            )}
            <main hidden={view !== 'chat'}>
                {locked && (
                    <KeyForm
                        save={(key) => {
                            useKey(key);
                            setLocked(false);
                            setSession(session + 1);
                        }}
                    />
                )}
                <Turns conversation={conversation} retry={retry} />
                <Composer
                    text={text}
                    setText={setText}
                    fromDocuments={fromDocuments}
                    setFromDocuments={setFromDocuments}
                    working={conversation.working}
                    ready={!fromDocuments || library.store !== undefined}
                    send={() => {
                        send(text.trim());
                        setText('');
                    }}
                    stop={conversation.stop}
                />
            </main>
            <aside id="panel" class={panelOpen ? 'open' : ''} aria-label={t.panel}>
                <Documents library={library} />
                <Settings {...choice.settings} />
            </aside>
            <footer class="figures">
                <span>{figures && sayFigures(figures, language)}</span>
                <a href="/licenses.txt" target="_blank" rel="noopener">{t.licenses}</a>
            </footer>
        </WordsContext.Provider>
    );
}

type View = 'chat' | 'training';

interface TopProps {
    view: View;
    setView(view: View): void;
    language: Language;
    setLanguage(language: Language): void;
    empty: boolean;
    clear(): void;
    panelOpen: boolean;
    setPanelOpen(open: boolean): void;
}

function Top(props: TopProps) {
    const t = useWords();
    return (
        <header class="top">
            <h1>Jikji <span lang="ko">직지</span></h1>
            <LanguageSwitch language={props.language} setLanguage={props.setLanguage} />
            <button
                type="button"
                aria-pressed={props.view === 'training'}
                onClick={() => props.setView(props.view === 'training' ? 'chat' : 'training')}
            >
                {t.training}
            </button>
            <button type="button" class="new-chat" disabled={props.empty} onClick={props.clear}>
                {t.clear}
            </button>
            <button
                type="button"
                class="panel-button"
                aria-expanded={props.panelOpen}
                aria-controls="panel"
                aria-label={t.panel}
                onClick={() => props.setPanelOpen(!props.panelOpen)}
            >
                {t.panelShort}
            </button>
        </header>
    );
}

function LanguageSwitch(props: { language: Language; setLanguage(language: Language): void }) {
    return (
        <div class="languages" role="group" aria-label={words[props.language].language}>
            {languages.map((one) => (
                <button
                    key={one}
                    type="button"
                    lang={one}
                    aria-pressed={one === props.language}
                    onClick={() => props.setLanguage(one)}
                >
                    {words[one].languageName}
                </button>
            ))}
        </div>
    );
}

/// A model that was trained here and is to be chosen. Each wish is an object of its own: the same
/// model may be wished for again after another was chosen.
interface Made {
    model: string;
}

/// What the reader has chosen for the next message. `made`: chosen at once.
function useChoice(session: number, made: Made) {
    const [models, setModels] = useState<Model[]>([]);
    const [model, setModel] = useState('');
    const [roles, setRoles] = useState<Prompt[]>([]);
    const [prompt, setPrompt] = useState('');
    const [variables, setVariables] = useState<Record<string, string>>({});
    const [system, setSystem] = useState('');
    useEffect(() => {
        const load = async (): Promise<void> => {
            const found = await chatModels();
            setModels(found);
            const there = (id: string) => found.some((one) => one.id === id);
            setModel((now) => (there(made.model) ? made.model : there(now) ? now : (found[0]?.id ?? '')));
            setRoles(await prompts());
        };
        // Not shown here: the same failure meets the documents panel and the next message.
        load().catch(() => undefined);
    }, [session, made]);
    const asked = () => {
        const names = variablesOf(roles.find((role) => role.id === prompt));
        const values = Object.fromEntries(names.map((name) => [name, variables[name] ?? '']));
        return { model, system, prompt: prompt ? { id: prompt, variables: values } : undefined };
    };
    const settings = {
        models, model, setModel, prompts: roles, prompt, setPrompt,
        variables, setVariables, system, setSystem,
    };
    return { asked, settings };
}

/// The server's totals, asked for at the start and after every answer.
function useFigures(session: number, working: boolean): Stats | undefined {
    const [figures, setFigures] = useState<Stats>();
    useEffect(() => {
        if (!working) stats().then(setFigures).catch(() => setFigures(undefined));
    }, [session, working]);
    return figures;
}

function sayFigures(figures: Stats, language: Language): string {
    const number = new Intl.NumberFormat(language);
    const seconds = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
    const tokens = (figures.prompt_tokens ?? 0) + (figures.completion_tokens ?? 0);
    return words[language].stats(
        number.format(figures.requests ?? 0),
        number.format(tokens),
        seconds.format(figures.average_response_seconds ?? 0),
    );
}

render(<Console />, document.body);
