// The conversation's state: its turns, the one answer that may be growing, and how to stop it.
import { useMemo, useRef, useState } from 'preact/hooks';
import { answer, chat, type Citation, type Message, type PromptReference, type Usage } from './api';
import { Pace } from './pace';

export interface Turn {
    id: number;
    question: string;
    text: string;
    state: 'working' | 'done' | 'stopped' | 'failed';
    error?: unknown;
    cutShort?: boolean;
    usage?: Usage | null;
    fromDocuments?: { found: boolean; grounded?: boolean; quoted?: boolean; citations: Citation[] };
}

export interface Ask {
    question: string;
    model: string;
    system: string;
    prompt: PromptReference | undefined;
    store: string | undefined;  // answers come from this vector store's documents
}

export interface Conversation {
    turns: Turn[];
    working: boolean;
    send(ask: Ask): Promise<void>;
    stop(): void;
    clear(): void;
    forget(id: number): void;
}

export function useConversation(): Conversation {
    const [turns, setTurns] = useState<Turn[]>([]);
    const [working, setWorking] = useState(false);
    const current = useRef<AbortController | undefined>(undefined);
    const nextId = useRef(1);

    const send = async (ask: Ask): Promise<void> => {
        const abort = new AbortController();
        current.current?.abort();
        current.current = abort;
        setWorking(true);
        const id = nextId.current++;
        let turn: Turn = { id, question: ask.question, text: '', state: 'working' };
        setTurns((all) => [...all, turn]);
        const pace = new Pace(() =>
            setTurns((all) => all.map((one) => (one.id === id ? turn : one))),
        );
        const grow = (change: Partial<Turn>): void => {
            turn = { ...turn, ...change };
            pace.touch();
        };
        try {
            if (ask.store) await fromDocuments(ask, ask.store, abort.signal, grow);
            else await fromModel(ask, turns, abort.signal, grow);
            turn = { ...turn, state: abort.signal.aborted ? 'stopped' : 'done' };
        } catch (error) {
            turn = abort.signal.aborted
                ? { ...turn, state: 'stopped' }
                : { ...turn, state: 'failed', error };
        }
        pace.now();
        if (current.current === abort) setWorking(false);
    };
    const stop = (): void => current.current?.abort();
    const clear = (): void => {
        stop();
        setTurns([]);
    };
    const forget = (id: number): void => setTurns((all) => all.filter((turn) => turn.id !== id));
    return useMemo(() => ({ turns, working, send, stop, clear, forget }), [turns, working]);
}

type Grow = (change: Partial<Turn>) => void;

async function fromModel(
    ask: Ask,
    earlier: Turn[],
    signal: AbortSignal,
    grow: Grow,
): Promise<void> {
    let text = '';
    for await (const event of chat(ask.model, messagesOf(ask, earlier), ask.prompt, signal)) {
        const choice = event.choices[0];
        if (choice?.delta?.content) grow({ text: (text += choice.delta.content) });
        if (choice?.finish_reason === 'length') grow({ cutShort: true });
        if (event.usage) grow({ usage: event.usage });
    }
}

async function fromDocuments(
    ask: Ask,
    store: string,
    signal: AbortSignal,
    grow: Grow,
): Promise<void> {
    let text = '';
    let found = false;
    for await (const event of answer(ask.model, ask.question, store, ask.prompt, signal)) {
        if (event.type === 'answer.start') {
            found = event.found;
            grow({ fromDocuments: { found, citations: event.citations } });
        } else if (event.type === 'answer.delta') {
            grow({ text: (text += event.text) });
        } else if (event.type === 'answer.completed') {
            const { grounded, quoted, citations, usage } = event;
            const fromDocuments = { found, grounded, quoted, citations };
            grow({ text: event.text, usage, fromDocuments });
        }
    }
}

/// What the model is told: the system prompt, the turns that were answered, and the question.
function messagesOf(ask: Ask, earlier: Turn[]): Message[] {
    const messages: Message[] = [];
    if (ask.system.trim()) messages.push({ role: 'system', content: ask.system });
    for (const turn of earlier) {
        if (!turn.text || turn.state === 'failed') continue;
        messages.push({ role: 'user', content: turn.question });
        messages.push({ role: 'assistant', content: turn.text });
    }
    messages.push({ role: 'user', content: ask.question });
    return messages;
}
