// The state of the documents panel: the store's files, uploads under way, and what went wrong.
import { useEffect, useRef, useState } from 'preact/hooks';
import {
    documentStore,
    removeFile,
    storedFile,
    storedFiles,
    upload,
    type StoredFile,
} from './api';

const pollMs = 700;

export interface Upload {
    key: number;
    name: string;
}

export interface Library {
    store: string | undefined;
    files: StoredFile[];
    uploads: Upload[];
    error: unknown;
    add(files: Iterable<File>): Promise<void>;
    remove(id: string): Promise<void>;
    dismiss(): void;
}

/// `session` counts up when everything is to be asked for again (a new key).
export function useLibrary(session: number): Library {
    const [store, setStore] = useState<string>();
    const [files, setFiles] = useState<StoredFile[]>([]);
    const [uploads, setUploads] = useState<Upload[]>([]);
    const [error, setError] = useState<unknown>();
    const nextKey = useRef(1);

    useEffect(() => {
        const load = async (): Promise<void> => {
            const id = await documentStore();
            setStore(id);
            setFiles(await storedFiles(id));
        };
        setError(undefined);
        load().catch(setError);
    }, [session]);
    usePolling(store, files, setFiles);

    const addOne = async (to: string, file: File): Promise<void> => {
        const key = nextKey.current++;
        setUploads((all) => [...all, { key, name: file.name }]);
        try {
            const attached = await upload(to, file);
            setFiles((all) => [attached, ...all.filter((one) => one.id !== attached.id)]);
        } finally {
            setUploads((all) => all.filter((one) => one.key !== key));
        }
    };
    const add = async (chosen: Iterable<File>): Promise<void> => {
        setError(undefined);
        try {
            const to = store ?? (await documentStore());
            setStore(to);
            for (const file of chosen) await addOne(to, file);
        } catch (failure) {
            setError(failure);
        }
    };
    const remove = async (id: string): Promise<void> => {
        try {
            await removeFile(id);
            setFiles((all) => all.filter((file) => file.id !== id));
        } catch (failure) {
            setError(failure);
        }
    };
    const dismiss = (): void => setError(undefined);
    return { store, files, uploads, error, add, remove, dismiss };
}

/// Asks for the files that are being read, until none is.
function usePolling(
    store: string | undefined,
    files: StoredFile[],
    setFiles: (change: (all: StoredFile[]) => StoredFile[]) => void,
): void {
    const open = files.filter((file) => file.status === 'in_progress').map((file) => file.id);
    const openIds = open.join(' ');
    useEffect(() => {
        if (!store || !openIds) return;
        let timer: number;
        let over = false;
        const look = async (): Promise<void> => {
            const asked = openIds.split(' ').map((id) => storedFile(store, id));
            const known = new Map<string, StoredFile>();
            for (const result of await Promise.allSettled(asked)) {
                if (result.status === 'fulfilled') known.set(result.value.id, result.value);
            }
            if (over) return;
            setFiles((all) => all.map((file) => ({ ...file, ...known.get(file.id) })));
            timer = window.setTimeout(look, pollMs);
        };
        timer = window.setTimeout(look, pollMs);
        return () => {
            over = true;
            window.clearTimeout(timer);
        };
    }, [store, openIds]);
}
