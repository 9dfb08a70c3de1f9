// The fine-tuning page: start from a file, watch the loss fall, pause, and talk to the result.
import { downloadFile, type Model, type TrainingEvent, type TrainingJob } from './api';
import { useWords } from './context';
import { LossPlot } from './loss_plot';
import { describe, isRefusal } from './server';
import { StartForm } from './training_form';
import { curvesOf, hasEnded, type Training as Jobs } from './training_jobs';

const eventsShown = 8;

interface Props {
    training: Jobs;
    models: Model[];
    talkTo(model: string): void;
}

export function Training({ training, models, talkTo }: Props) {
    const t = useWords();
    const { jobs, chosen, error } = training;
    return (
        <div class="training">
            <section aria-labelledby="training-title">
                <h2 id="training-title">{t.training}</h2>
                <p class="note">{t.trainingMore}</p>
                <StartForm training={training} models={models} />
                {error !== undefined && !isRefusal(error) && (
                    <div class="problem" role="alert">
                        <p>{describe(error, t)}</p>
                        <button type="button" onClick={training.dismiss}>{t.dismiss}</button>
                    </div>
                )}
            </section>
            <section class="jobs" aria-labelledby="jobs-title">
                <h3 id="jobs-title">{t.jobs}</h3>
                {jobs.length === 0 && <p class="note">{t.noJobs}</p>}
                <ul>
                    {jobs.map((job) => (
                        <li key={job.id}>
                            <button
                                type="button"
                                class="job"
                                data-status={job.status}
                                aria-pressed={job.id === chosen?.id}
                                onClick={() => training.choose(job.id)}
                            >
                                <span class="name">{nameOf(job)}</span>
                                <State job={job} />
                            </button>
                        </li>
                    ))}
                </ul>
            </section>
            {chosen && <JobView training={training} job={chosen} talkTo={talkTo} />}
        </div>
    );
}

function nameOf(job: TrainingJob): string {
    return job.user_provided_suffix ?? job.x_jikji.training_filename;
}

function State({ job }: { job: TrainingJob }) {
    const t = useWords();
    const { steps_done: done, steps_total: total } = job.x_jikji;
    const word = job.x_jikji.paused ? t.paused : t.jobStates[job.status];
    const steps = total > 0 && !hasEnded(job) ? ` ${done}/${total}` : '';
    return <span class="state">{word + steps}</span>;
}

interface JobProps {
    training: Jobs;
    job: TrainingJob;
    talkTo(model: string): void;
}

function JobView({ training, job, talkTo }: JobProps) {
    const t = useWords();
    const facts = job.x_jikji;
    return (
        <section class="job-view" aria-labelledby="job-title" data-status={job.status}>
            <header>
                <h3 id="job-title">{job.fine_tuned_model ?? nameOf(job)}</h3>
                <Actions training={training} job={job} talkTo={talkTo} />
            </header>
            {!hasEnded(job) && facts.steps_total > 0 && (
                <progress
                    aria-label={t.jobStates.running}
                    value={facts.steps_done}
                    max={facts.steps_total}
                />
            )}
            <p class="note"><Facts job={job} events={training.events} /></p>
            {facts.warning && <p class="problem" role="status">{facts.warning}</p>}
            {job.error && <p class="problem" role="alert">{job.error.message}</p>}
            <LossPlot curves={curvesOf(job, training.events)} />
            <Said events={training.events} />
        </section>
    );
}

function Actions({ training, job, talkTo }: JobProps) {
    const t = useWords();
    const act = (action: 'pause' | 'resume' | 'cancel') => () => void training.act(job.id, action);
    const model = job.fine_tuned_model;
    const figures = job.result_files[0];
    const paused = job.x_jikji.paused;
    return (
        <div class="actions">
            {!hasEnded(job) && !paused && (
                <button type="button" onClick={act('pause')}>{t.pause}</button>
            )}
            {(paused || job.status === 'failed') && (
                <button type="button" class="main" onClick={act('resume')}>{t.resume}</button>
            )}
            {!hasEnded(job) && (
                <button type="button" class="danger" onClick={act('cancel')}>{t.cancel}</button>
            )}
            {figures && (
                <button
                    type="button"
                    onClick={() => void downloadFile(figures, `${job.id}.csv`).catch(() => undefined)}
                >
                    {t.figures}
                </button>
            )}
            {model && !job.x_jikji.model_deleted && (
                <button type="button" class="main" onClick={() => talkTo(model)}>{t.talk}</button>
            )}
        </div>
    );
}

function Facts({ job, events }: { job: TrainingJob; events: TrainingEvent[] }) {
    const t = useWords();
    const facts = job.x_jikji;
    const last = events.findLast((event) => event.data.train_loss !== undefined)?.data;
    const said = [
        `${t.baseModel}: ${job.model}`,
        `${t.template}: ${t.templates[job.hyperparameters.template]}`,
    ];
    if (facts.samples > 0) said.push(t.samples(facts.samples, facts.held_out_samples));
    if (facts.steps_total > 0) said.push(t.stepOf(facts.steps_done, facts.steps_total));
    if (!hasEnded(job) && !facts.paused && last?.tokens_per_second) {
        said.push(t.speed(Math.round(last.tokens_per_second)));
        said.push(t.left(Math.round(last.seconds_left ?? 0)));
    }
    if (facts.held_out_loss !== null && facts.base_loss !== null) {
        said.push(t.losses(facts.held_out_loss.toFixed(3), facts.base_loss.toFixed(3)));
    }
    return <>{said.join(' · ')}</>;
}

function Said({ events }: { events: TrainingEvent[] }) {
    const messages = events.filter((event) => event.type === 'message').slice(-eventsShown);
    return (
        <ol class="said">
            {messages.map((event) => (
                <li key={event.id} data-level={event.level}>
                    <time>{new Date(event.created_at * 1000).toLocaleTimeString()}</time>
                    {event.message}
                </li>
            ))}
        </ol>
    );
}
