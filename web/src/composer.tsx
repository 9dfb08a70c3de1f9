// Where the message is written. Enter sends, but never while an input method composes a syllable.
import { useEffect, useRef } from 'preact/hooks';
import { useWords } from './context';

interface Props {
    text: string;
    setText(text: string): void;
    fromDocuments: boolean;
    setFromDocuments(on: boolean): void;
    working: boolean;
    ready: boolean;
    send(): void;
    stop(): void;
}

export function Composer(props: Props) {
    const t = useWords();
    const box = useRef<HTMLTextAreaElement>(null);
    const { text, working } = props;
    useEffect(() => {
        if (!working) box.current?.focus({ preventScroll: true });
    }, [working]);
    const sendable = props.ready && !working && text.trim() !== '';
    const onKeyDown = (event: KeyboardEvent): void => {
        // Some browsers end a composition before the key's own event: 229 still marks that one.
        if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229) return;
        if (event.shiftKey) return;
        event.preventDefault();
        if (sendable) props.send();
    };
    return (
        <form
            class="composer"
            onSubmit={(event) => {
                event.preventDefault();
                if (sendable) props.send();
            }}
        >
            <label class="unseen" for="message">{t.messageLabel}</label>
            <textarea
                id="message"
                ref={box}
                rows={2}
                value={text}
                placeholder={props.fromDocuments ? t.questionHint : t.messageHint}
                aria-describedby="keys"
                onInput={(event) => props.setText(event.currentTarget.value)}
                onKeyDown={onKeyDown}
            />
            <p id="keys" class="unseen">{t.keys}</p>
            <div class="bar">
                <label class="switch">
                    <input
                        type="checkbox"
                        role="switch"
                        checked={props.fromDocuments}
                        onChange={(event) => props.setFromDocuments(event.currentTarget.checked)}
                    />
                    <span class="track" aria-hidden="true" />
                    {t.fromDocuments}
                </label>
                {working ? (
                    <button type="button" class="main" onClick={props.stop}>{t.stop}</button>
                ) : (
                    <button type="submit" class="main" disabled={!sendable}>{t.send}</button>
                )}
            </div>
        </form>
    );
}
