// The documents panel: what is there, how reading it goes, and a place to drop more.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { StoredFile } from './api';
import { useWords } from './context';
import type { Library } from './library';
import { describe, isRefusal } from './server';

const accepted = '.md,.markdown,.txt,.html,.htm,.pdf';

export function Documents({ library }: { library: Library }) {
    const t = useWords();
    const empty = library.files.length === 0 && library.uploads.length === 0;
    return (
        <section class="documents" aria-labelledby="documents-title">
            <h2 id="documents-title">{t.documents}</h2>
            <DropPlace add={library.add} />
            {library.error !== undefined && !isRefusal(library.error) && (
                <div class="problem" role="alert">
                    <p>{describe(library.error, t)}</p>
                    <button type="button" onClick={library.dismiss}>{t.dismiss}</button>
                </div>
            )}
            {empty && <p class="note">{t.noDocuments}</p>}
            <ul class="files" aria-live="polite">
                {library.uploads.map((upload) => (
                    <li key={upload.key} class="file">
                        <span class="name">{upload.name}</span>
                        <span class="state">{t.uploading}</span>
                        <progress aria-label={`${t.uploading}: ${upload.name}`} />
                    </li>
                ))}
                {library.files.map((file) => (
                    <FileRow key={file.id} file={file} remove={() => library.remove(file.id)} />
                ))}
            </ul>
        </section>
    );
}

function DropPlace({ add }: { add(files: Iterable<File>): Promise<void> }) {
    const t = useWords();
    const input = useRef<HTMLInputElement>(null);
    const [over, setOver] = useState(false);
    return (
        <div
            class={over ? 'drop over' : 'drop'}
            onDragOver={(event) => {
                event.preventDefault();
                setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
                event.preventDefault();
                setOver(false);
                void add([...(event.dataTransfer?.files ?? [])]);
            }}
        >
            <span>{t.dropHere}</span>
            <button type="button" onClick={() => input.current?.click()}>{t.choose}</button>
            <small>{t.formats}</small>
            <input
                ref={input}
                type="file"
                multiple
                hidden
                accept={accepted}
                aria-label={t.choose}
                onChange={(event) => {
                    const chosen = [...(event.currentTarget.files ?? [])];
                    event.currentTarget.value = '';  // so that the same file can be chosen again
                    void add(chosen);
                }}
            />
        </div>
    );
}

function FileRow({ file, remove }: { file: StoredFile; remove(): void }) {
    const t = useWords();
    const [asking, setAsking] = useState(false);
    const keep = useRef<HTMLButtonElement>(null);
    const open = useRef<HTMLButtonElement>(null);
    const asked = useRef(false);
    // The button that was pressed goes away: the keyboard's place moves to what replaces it.
    useEffect(() => {
        if (asking) keep.current?.focus();
        else if (asked.current) open.current?.focus();
        asked.current = asking;
    }, [asking]);
    const name = file.filename ?? file.id;
    return (
        <li class="file" data-status={file.status}>
            <span class="name" title={name}>{name}</span>
            {asking ? (
                <span class="sure" role="group" aria-label={t.remove(name)}>
                    <span>{t.removeSure}</span>
                    <button type="button" class="danger" onClick={remove}>{t.yes}</button>
                    <button type="button" ref={keep} onClick={() => setAsking(false)}>
                        {t.no}
                    </button>
                </span>
            ) : (
                <>
                    <FileState file={file} />
                    <button
                        ref={open}
                        type="button"
                        class="plain remove"
                        aria-label={t.remove(name)}
                        title={t.remove(name)}
                        onClick={() => setAsking(true)}
                    >
                        <span aria-hidden="true">×</span>
                    </button>
                </>
            )}
            {file.status === 'in_progress' && (
                <progress aria-label={`${t.reading}: ${name}`} value={file.progress} />
            )}
            {file.last_error && <p class="why">{file.last_error.message}</p>}
        </li>
    );
}

function FileState({ file }: { file: StoredFile }) {
    const t = useWords();
    const says = {
        in_progress: t.reading,
        completed: file.chunks === undefined ? '✓' : t.ready(file.chunks),
        failed: t.failed,
        cancelled: t.cancelled,
    };
    return <span class="state">{says[file.status]}</span>;
}
