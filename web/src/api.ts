// The routes that the console uses, and the parts of their answers that it reads.
import { getForEvents, getJson, postForEvents, postJson, request } from './server';

interface List<T> {
    data: T[];
    has_more?: boolean;
    last_id?: string | null;
}

export interface Model {
    id: string;
    kind?: string;  // extension: chat, embedding
    jikji?: { base?: string | null };  // extension; base: of an adapter
}

export interface Prompt {
    id: string;
    name: string;
    is_active?: boolean;
    user_template?: string;
}

export interface Message {
    role: 'system' | 'user' | 'assistant';
    content: string;
}

export interface PromptReference {
    id: string;
    variables: Record<string, string>;
}

export interface Usage {
    prompt_tokens: number;
    completion_tokens: number;
}

export interface Citation {
    index: number;
    file_id: string;
    filename: string;
    page?: number | null;
    heading?: string | null;
    quote: string;
    score: number;
}

export interface ChatEvent {
    choices: { delta?: { content?: string | null }; finish_reason?: string | null }[];
    usage?: Usage | null;
}

export type AnswerEvent =
    | { type: 'answer.start'; found: boolean; citations: Citation[] }
    | { type: 'answer.delta'; text: string }
    | {
          type: 'answer.completed';
          text: string;
          grounded: boolean;
          groundedness: number;
          quoted: boolean;
          citations: Citation[];
          usage?: Usage | null;
      };

export interface StoredFile {
    id: string;
    status: 'in_progress' | 'completed' | 'failed' | 'cancelled';
    last_error?: { code: string; message: string } | null;
    filename?: string;  // extension, as the next two
    progress?: number;  // 0..1
    chunks?: number;
}

export interface Stats {
    requests?: number;
    prompt_tokens?: number;
    completion_tokens?: number;
    average_response_seconds?: number;
}

export interface TrainingJob {
    id: string;
    model: string;
    status: 'validating_files' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
    fine_tuned_model: string | null;
    error: { message: string } | null;
    result_files: string[];
    user_provided_suffix: string | null;
    hyperparameters: { template: 'auto' | 'model' | 'alpaca' | 'none' };
    x_jikji: {
        paused: boolean;
        steps_done: number;
        steps_total: number;
        samples: number;
        held_out_samples: number;
        held_out_loss: number | null;
        base_loss: number | null;
        warning: string | null;
        model_deleted: boolean;
        training_filename: string;
    };
}

export interface TrainingEvent {
    id: string;
    created_at: number;
    level: 'info' | 'warn' | 'error';
    type: 'message' | 'metrics';
    message: string;
    data: {
        step?: number;
        total_steps?: number;
        train_loss?: number;
        valid_loss?: number;
        base_loss?: number;
        tokens_per_second?: number;
        seconds_left?: number;
    };
}

export interface NewJob {
    model: string;
    training_file: string;
    validation_file?: string;
    suffix?: string;
    method: {
        type: string;
        supervised: { hyperparameters: Record<string, number | string | string[]> };
    };
}

export type JobAction = 'pause' | 'resume' | 'cancel';

const storeName = 'documents';

export async function chatModels(): Promise<Model[]> {
    const models = (await getJson<List<Model>>('/v1/models')).data;
    return models.filter((model) => model.kind === undefined || model.kind === 'chat');
}

export async function prompts(): Promise<Prompt[]> {
    return (await getJson<List<Prompt>>('/v1/prompts')).data;
}

export function stats(): Promise<Stats> {
    return getJson<Stats>('/v1/stats');
}

export function chat(
    model: string,
    messages: Message[],
    prompt: PromptReference | undefined,
    signal: AbortSignal,
): AsyncGenerator<ChatEvent> {
    const body = { model, messages, prompt, stream: true, stream_options: { include_usage: true } };
    return postForEvents<ChatEvent>('/v1/chat/completions', body, signal);
}

export function answer(
    model: string,
    question: string,
    store: string,
    prompt: PromptReference | undefined,
    signal: AbortSignal,
): AsyncGenerator<AnswerEvent> {
    const body = { model, question, vector_store_id: store, prompt, stream: true };
    return postForEvents<AnswerEvent>('/v1/answers', body, signal);
}

/// The id of the store named `documents`, which is made if it is not there.
export async function documentStore(): Promise<string> {
    const stores = await everything<{ id: string; name?: string | null }>('/v1/vector_stores');
    const found = stores.find((store) => store.name === storeName);
    if (found) return found.id;
    return (await postJson<{ id: string }>('/v1/vector_stores', { name: storeName })).id;
}

export async function storedFiles(store: string): Promise<StoredFile[]> {
    const files = await everything<StoredFile>(`/v1/vector_stores/${store}/files`);
    if (files.every((file) => file.filename)) return files;
    const uploads = await everything<{ id: string; filename: string }>('/v1/files');
    const names = new Map(uploads.map((upload) => [upload.id, upload.filename]));
    return files.map((file) => ({ filename: names.get(file.id) ?? file.id, ...file }));
}

export function storedFile(store: string, file: string): Promise<StoredFile> {
    return getJson<StoredFile>(`/v1/vector_stores/${store}/files/${file}`);
}

export async function uploadFile(file: File, purpose: string): Promise<string> {
    const form = new FormData();
    form.append('purpose', purpose);
    form.append('file', file);
    const response = await request('/v1/files', { method: 'POST', body: form });
    return ((await response.json()) as { id: string }).id;
}

export async function upload(store: string, file: File): Promise<StoredFile> {
    const id = await uploadFile(file, 'assistants');
    const attached = await postJson<StoredFile>(`/v1/vector_stores/${store}/files`, {
        file_id: id,
    });
    return { ...attached, filename: attached.filename ?? file.name };
}

/// Deletes the upload itself, and with it its place in every store.
export async function removeFile(file: string): Promise<void> {
    await request(`/v1/files/${file}`, { method: 'DELETE' });
}

/// The newest hundred.
export async function trainingJobs(): Promise<TrainingJob[]> {
    return (await getJson<List<TrainingJob>>('/v1/fine_tuning/jobs?limit=100')).data;
}

export function createJob(wanted: NewJob): Promise<TrainingJob> {
    return postJson<TrainingJob>('/v1/fine_tuning/jobs', wanted);
}

export function actOnJob(job: string, action: JobAction): Promise<TrainingJob> {
    return postJson<TrainingJob>(`/v1/fine_tuning/jobs/${job}/${action}`, {});
}

/// Those after one, as they come, until the job has ended.
export function jobEvents(
    job: string,
    after: string | undefined,
    signal: AbortSignal,
): AsyncGenerator<TrainingEvent> {
    const from = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
    const path = `/v1/fine_tuning/jobs/${job}/events?stream=true${from}`;
    return getForEvents<TrainingEvent>(path, signal);
}

/// Hands a file to the reader, under that name.
export async function downloadFile(file: string, name: string): Promise<void> {
    const response = await request(`/v1/files/${file}/content`);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await response.blob());
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
}

async function everything<T extends { id: string }>(path: string): Promise<T[]> {
    const items: T[] = [];
    for (let after = ''; ; ) {
        const page = await getJson<List<T>>(`${path}?limit=100${after}`);
        items.push(...page.data);
        const last = page.data.at(-1);
        if (!page.has_more || !last) return items;
        after = `&after=${encodeURIComponent(last.id)}`;
    }
}
