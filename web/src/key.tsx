// Asked for only when the server has answered 401.
import { useEffect, useRef, useState } from 'preact/hooks';
import { useWords } from './context';
import { hasKey } from './server';

export function KeyForm({ save }: { save(key: string): void }) {
    const t = useWords();
    const [key, setKey] = useState('');
    const field = useRef<HTMLInputElement>(null);
    useEffect(() => field.current?.focus(), []);
    return (
        <form
            class="key"
            aria-labelledby="key-title"
            onSubmit={(event) => {
                event.preventDefault();
                if (key.trim()) save(key.trim());
            }}
        >
            <h2 id="key-title">{t.keyTitle}</h2>
            {hasKey() && <p role="alert" class="wrong">{t.keyWrong}</p>}
            <label for="key">{t.keyLabel}</label>
            <input
                id="key"
                ref={field}
                type="password"
                autocomplete="off"
                value={key}
                aria-describedby="key-note"
                onInput={(event) => setKey(event.currentTarget.value)}
            />
            <button type="submit" class="main" disabled={!key.trim()}>{t.keySave}</button>
            <p id="key-note" class="note">{t.keyNote}</p>
        </form>
    );
}
