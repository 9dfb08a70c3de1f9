// What the fine-tuning page knows: the jobs, and of the chosen one everything that it says.
import { useEffect, useRef, useState } from 'preact/hooks';
import {
    actOnJob, createJob, jobEvents, removeFile, trainingJobs, uploadFile,
    type JobAction, type NewJob, type TrainingEvent, type TrainingJob,
} from './api';
import type { Curves } from './loss_plot';
import { Pace } from './pace';

const busyMs = 1000, idleMs = 5000;  // between two looks at the list
const againMs = 1000;  // after a stream was cut

export function hasEnded(job: TrainingJob): boolean {
    return ['succeeded', 'failed', 'cancelled'].includes(job.status);
}

export interface Samples {
    data: File;
    validation: File | undefined;
}

type Wanted = Omit<NewJob, 'training_file' | 'validation_file'>;

export interface Training {
    jobs: TrainingJob[];
    chosen: TrainingJob | undefined;
    events: TrainingEvent[];
    error: unknown;
    dismiss(): void;
    choose(id: string): void;
    start(samples: Samples, wanted: Wanted): Promise<boolean>;
    act(id: string, action: JobAction): Promise<void>;
}

/// `shown`: whether the page is looked at; nothing is asked for otherwise.
export function useTraining(session: number, shown: boolean): Training {
    const [jobs, setJobs] = useState<TrainingJob[]>([]);
    const [id, setId] = useState<string>();
    const [error, setError] = useState<unknown>();
    const [round, setRound] = useState(0);
    const chosen = jobs.find((job) => job.id === id) ?? jobs[0];
    const busy = jobs.some((job) => !hasEnded(job) && !job.x_jikji.paused);

    useEffect(() => {
        if (!shown) return undefined;
        const look = (): void => {
            trainingJobs().then(setJobs).catch(setError);
        };
        look();
        const timer = window.setInterval(look, busy ? busyMs : idleMs);
        return () => window.clearInterval(timer);
    }, [session, shown, busy, round]);

    const events = useEvents(shown ? chosen : undefined);
    return {
        jobs, chosen, events, error,
        dismiss: () => setError(undefined),
        choose: setId,
        start: async (samples, wanted) => {
            try {
                setError(undefined);
                const job = await newJob(samples, wanted);
                setJobs((now) => [job, ...now]);
                setId(job.id);
                return true;
            } catch (cause) {
                setError(cause);
                return false;
            }
        },
        act: async (job, action) => {
            try {
                await actOnJob(job, action);
            } catch (cause) {
                setError(cause);
            }
            setRound((now) => now + 1);
        },
    };
}

/// Files that no job came of are taken away again.
async function newJob({ data, validation }: Samples, wanted: Wanted): Promise<TrainingJob> {
    const sent: string[] = [];
    const send = async (file: File): Promise<string> => {
        const id = await uploadFile(file, 'fine-tune');
        sent.push(id);
        return id;
    };
    try {
        const training_file = await send(data);
        const held = validation && { validation_file: await send(validation) };
        return await createJob({ ...wanted, training_file, ...held });
    } catch (cause) {
        // What is wrong with the data is worth more to the reader than that a file stays.
        await Promise.allSettled(sent.map(removeFile));
        throw cause;
    }
}

/// All events of a job, oldest first, as they come.
function useEvents(job: TrainingJob | undefined): TrainingEvent[] {
    const [events, setEvents] = useState<TrainingEvent[]>([]);
    const all = useRef<TrainingEvent[]>([]);
    const id = job?.id;
    // A job that had failed and is resumed has more to say.
    const open = job !== undefined && !hasEnded(job);
    const of = useRef<string | undefined>(undefined);
    useEffect(() => {
        if (id === undefined) return undefined;
        if (of.current !== id) all.current = [];
        of.current = id;
        setEvents([...all.current]);
        const leaving = new AbortController();
        const pace = new Pace(() => {
            if (!leaving.signal.aborted) setEvents([...all.current]);
        });
        void follow(id, all.current, pace, leaving.signal);
        return () => leaving.abort();
    }, [id, open]);
    return events;
}

async function follow(
    id: string, all: TrainingEvent[], pace: Pace, signal: AbortSignal,
): Promise<void> {
    while (!signal.aborted) {
        try {
            for await (const event of jobEvents(id, all.at(-1)?.id, signal)) {
                if (signal.aborted) return;
                all.push(event);
                pace.touch();
            }
            return;
        } catch {
            // Cut off: the list says why, if there is a reason; the stream goes on where it was.
            await new Promise((then) => window.setTimeout(then, againMs));
        }
    }
}

export function curvesOf(job: TrainingJob, events: TrainingEvent[]): Curves {
    const curves: Curves = { train: [], heldOut: [], steps: job.x_jikji.steps_total };
    for (const { data } of events) {
        if (data.step === undefined) continue;
        curves.steps = Math.max(curves.steps, data.step, data.total_steps ?? 0);
        if (data.base_loss !== undefined) curves.base = data.base_loss;
        if (data.train_loss !== undefined) {
            put(curves.train, { step: data.step, loss: data.train_loss });
        }
        if (data.valid_loss !== undefined) {
            put(curves.heldOut, { step: data.step, loss: data.valid_loss });
        }
    }
    return curves;
}

/// Steps after a checkpoint are computed again when a job goes on: the later one counts.
function put(points: Curves['train'], point: Curves['train'][number]): void {
    while ((points.at(-1)?.step ?? -1) >= point.step) points.pop();
    points.push(point);
}
