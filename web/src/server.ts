// The one way to the server: same origin, the tab's key, the reader's language, typed failures.
import { eventData } from './events';
import type { Language, Words } from './words';

const storageKey = 'jikji.key';
let language: Language = 'en';
let refused: () => void = () => undefined;

/// What the server said no with. `message` is in the reader's language where the server has it.
export class ServerError extends Error {
    constructor(
        readonly status: number,
        message: string,
    ) {
        super(message);
    }
}

/// The stream ended without its last event.
export class CutError extends Error {}

export function useLanguage(next: Language): void {
    language = next;
}

export function useKey(key: string): void {
    sessionStorage.setItem(storageKey, key);
}

export function hasKey(): boolean {
    return sessionStorage.getItem(storageKey) !== null;
}

/// `then` is called whenever the server answers 401.
export function onRefused(then: () => void): void {
    refused = then;
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Accept-Language', language);
    const key = sessionStorage.getItem(storageKey);
    if (key) headers.set('Authorization', `Bearer ${key}`);
    const response = await fetch(path, { ...init, headers, credentials: 'omit' });
    if (response.ok) return response;
    if (response.status === 401) refused();
    throw new ServerError(response.status, await messageOf(response));
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
    const response = await request(path, signal ? { signal } : {});
    return (await response.json()) as T;
}

export async function postJson<T>(path: string, body: unknown): Promise<T> {
    const response = await request(path, jsonPost(body));
    return (await response.json()) as T;
}

/// POSTs and yields each event of the answer, parsed. Throws CutError if it ends too soon.
export function postForEvents<T>(
    path: string,
    body: unknown,
    signal: AbortSignal,
): AsyncGenerator<Awaited<T>> {
    return events<T>(path, { ...jsonPost(body), signal }, signal);
}

export function getForEvents<T>(path: string, signal: AbortSignal): AsyncGenerator<Awaited<T>> {
    return events<T>(path, { signal }, signal);
}

async function* events<T>(
    path: string,
    init: RequestInit,
    signal: AbortSignal,
): AsyncGenerator<Awaited<T>> {
    const response = await request(path, init);
    const complete = { done: false };
    if (response.body) {
        for await (const data of eventData(response.body, complete)) {
            const event: unknown = JSON.parse(data);
            const { error } = event as { error?: { message?: string } };
            if (error) throw new ServerError(500, error.message ?? '');
            yield event as Awaited<T>;
        }
    }
    if (!complete.done && !signal.aborted) throw new CutError();
}

function jsonPost(body: unknown): RequestInit {
    return {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
    };
}

async function messageOf(response: Response): Promise<string> {
    try {
        const body = (await response.json()) as { error?: { message?: string } };
        return body.error?.message ?? '';
    } catch {
        return '';  // a proxy's page, or nothing
    }
}

/// The server wants a key: the page asks for one, so nothing else needs to say so.
export function isRefusal(error: unknown): boolean {
    return error instanceof ServerError && error.status === 401;
}

/// One sentence for the reader: what happened, and the server's own words where it gave any.
export function describe(error: unknown, t: Words): string {
    if (error instanceof CutError) return t.errorCut;
    if (!(error instanceof ServerError)) return t.errorNetwork;
    const said = error.message;
    if (error.status === 401) return said ? `${t.errorKey} ${said}` : t.errorKey;
    if (said) return said;
    if (error.status === 413) return t.errorTooLarge;
    if (error.status === 429 || error.status === 503) return t.errorBusy;
    return error.status >= 500 ? t.errorServer : t.errorOther(error.status);
}
