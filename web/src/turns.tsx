// The log of the conversation: questions, answers as they grow, and where they come from.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Citation } from './api';
import { useWords } from './context';
import type { Conversation, Turn } from './conversation';
import { renderMarkdown } from './markdown';
import { describe } from './server';

interface Props {
    conversation: Conversation;
    retry(turn: Turn): void;
}

export function Turns({ conversation, retry }: Props) {
    const t = useWords();
    const log = useRef<HTMLDivElement>(null);
    useFollow(log, conversation.turns);
    return (
        <div
            class="log"
            ref={log}
            role="log"
            aria-label={t.chat}
            aria-busy={conversation.working}
            tabIndex={0}
        >
            {conversation.turns.length === 0 && (
                <div class="greeting">
                    <h2>{t.greeting}</h2>
                    <p>{t.greetingMore}</p>
                </div>
            )}
            {conversation.turns.map((turn) => (
                <TurnView key={turn.id} turn={turn} retry={() => retry(turn)} />
            ))}
        </div>
    );
}

/// Keeps the newest words in view, unless the reader has scrolled away from them.
function useFollow(log: { current: HTMLDivElement | null }, turns: Turn[]): void {
    const near = useRef(true);
    const count = useRef(0);
    useEffect(() => {
        const box = log.current;
        const look = (): void => {
            if (box) near.current = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
        };
        box?.addEventListener('scroll', look, { passive: true });
        return () => box?.removeEventListener('scroll', look);
    }, []);
    useLayoutEffect(() => {
        if (turns.length > count.current) near.current = true;
        count.current = turns.length;
        const box = log.current;
        if (box && near.current) box.scrollTop = box.scrollHeight;
    }, [turns]);
}

function TurnView({ turn, retry }: { turn: Turn; retry(): void }) {
    const t = useWords();
    const documents = turn.fromDocuments;
    return (
        <>
            <article class="turn you" aria-label={t.you}>
                <p>{turn.question}</p>
            </article>
            <article class="turn answer" data-state={turn.state} aria-label={t.assistant}>
                {turn.state === 'working' && !turn.text && <Thinking label={t.thinking} />}
                {turn.text && <Markdown text={turn.text} />}
                {turn.cutShort && <p class="note">{t.cutShort}</p>}
                {documents?.quoted && <p class="note">{t.quotedNote}</p>}
                {documents && !documents.found && !turn.text && <p class="note">{t.notFound}</p>}
                {documents && <Citations citations={documents.citations} />}
                {turn.state === 'failed' && (
                    <div class="problem" role="alert">
                        <p>{describe(turn.error, t)}</p>
                        <button type="button" onClick={retry}>{t.retry}</button>
                    </div>
                )}
                {turn.state !== 'working' && turn.text && <Foot turn={turn} />}
                {turn.state === 'stopped' && !turn.text && <p class="note">{t.stopped}</p>}
            </article>
        </>
    );
}

function Thinking({ label }: { label: string }) {
    return (
        <p class="thinking" role="status">
            <span class="dots" aria-hidden="true"><i /><i /><i /></span>
            <span class="unseen">{label}</span>
        </p>
    );
}

function Markdown({ text }: { text: string }) {
    const box = useRef<HTMLDivElement>(null);
    useLayoutEffect(() => box.current?.replaceChildren(renderMarkdown(text)), [text]);
    return <div class="markdown" ref={box} />;
}

function Foot({ turn }: { turn: Turn }) {
    const t = useWords();
    const [copied, setCopied] = useState(false);
    const copy = async (): Promise<void> => {
        await navigator.clipboard.writeText(turn.text);
        setCopied(true);
        window.setTimeout(() => setCopied(false), 1500);
    };
    return (
        <footer class="foot">
            {turn.state === 'stopped' && <span>{t.stopped}</span>}
            {turn.fromDocuments?.grounded && !turn.fromDocuments.quoted && (
                <span class="good">{t.grounded}</span>
            )}
            {turn.usage && turn.usage.completion_tokens > 0 && (
                <span>{t.tokens(turn.usage.completion_tokens)}</span>
            )}
            {navigator.clipboard && (
                <button type="button" class="plain" onClick={copy}>
                    {copied ? t.copied : t.copy}
                </button>
            )}
        </footer>
    );
}

function Citations({ citations }: { citations: Citation[] }) {
    const t = useWords();
    if (citations.length === 0) return null;
    return (
        <section class="sources" aria-label={t.sources}>
            <h3>{t.sources}</h3>
            <ol>
                {citations.map((citation) => (
                    <li key={citation.index} class="citation">
                        <span class="number" aria-hidden="true">{citation.index}</span>
                        <div>
                            <p class="place">
                                <cite>{citation.filename}</cite>
                                {citation.page ? <span>{t.page(citation.page)}</span> : null}
                                {citation.heading ? <span>{citation.heading}</span> : null}
                            </p>
                            <blockquote>{citation.quote}</blockquote>
                        </div>
                    </li>
                ))}
            </ol>
        </section>
    );
}
