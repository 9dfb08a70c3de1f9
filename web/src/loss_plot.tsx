// The curve of a training's loss, drawn as it grows: steps to the right, loss upwards.
import { useState } from 'preact/hooks';
import { useWords } from './context';

export interface Point {
    step: number;
    loss: number;
}

export interface Curves {
    train: Point[];
    heldOut: Point[];
    base?: number;  // held-out loss before training
    steps: number;  // that there will be
}

const width = 640, height = 300;
const left = 52, right = 16, top = 14, bottom = 38;
const pointsMost = 400;  // more than that many pixels show nothing new

/// Means of neighbours, so that no more than `pointsMost` are drawn.
export function thinned(points: Point[]): Point[] {
    const each = Math.ceil(points.length / pointsMost);
    if (each <= 1) return points;
    const out: Point[] = [];
    for (let at = 0; at < points.length; at += each) {
        const some = points.slice(at, at + each);
        const loss = some.reduce((sum, point) => sum + point.loss, 0) / some.length;
        out.push({ step: some.at(-1)?.step ?? 0, loss });
    }
    return out;
}

/// Round numbers that divide a range into about five parts.
export function ticks(low: number, high: number): number[] {
    const span = Math.max(high - low, 1e-9);
    const rough = span / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const unit = [1, 2, 5, 10].find((one) => one * power >= rough) ?? 10;
    const size = unit * power;
    const out: number[] = [];
    for (let at = Math.ceil(low / size) * size; at <= high + size / 1e6; at += size) {
        out.push(Number(at.toPrecision(12)));
    }
    return out;
}

function scales(curves: Curves) {
    const losses = [...curves.train, ...curves.heldOut].map((point) => point.loss);
    if (curves.base !== undefined) losses.push(curves.base);
    const low = Math.min(...losses), high = Math.max(...losses);
    const room = Math.max((high - low) * 0.08, high * 0.02, 1e-3);
    const range = { low: Math.max(0, low - room), high: high + room };
    const steps = Math.max(curves.steps, 1);
    return {
        range,
        steps,
        x: (step: number) => left + (step / steps) * (width - left - right),
        y: (loss: number) =>
            height - bottom - ((loss - range.low) / (range.high - range.low)) *
                (height - top - bottom),
        stepAt: (x: number) => ((x - left) / (width - left - right)) * steps,
    };
}

type Scales = ReturnType<typeof scales>;

function path(points: Point[], to: Scales): string {
    return points
        .map((p, i) => `${i === 0 ? 'M' : 'L'}${to.x(p.step).toFixed(1)} ${to.y(p.loss).toFixed(1)}`)
        .join('');
}

function nearest(points: Point[], step: number): Point | undefined {
    let best: Point | undefined;
    for (const point of points) {
        if (!best || Math.abs(point.step - step) < Math.abs(best.step - step)) best = point;
    }
    return best;
}

export function LossPlot({ curves }: { curves: Curves }) {
    const t = useWords();
    const [step, setStep] = useState<number>();
    if (curves.train.length + curves.heldOut.length === 0) {
        return <p class="note plot-empty">{t.plotEmpty}</p>;
    }
    const to = scales(curves);
    const train = thinned(curves.train);
    const last = curves.train.at(-1);
    return (
        <figure class="plot">
            <svg
                viewBox={`0 0 ${width} ${height}`}
                role="img"
                aria-label={t.plotSays(last?.step ?? 0, last?.loss.toFixed(3) ?? '–')}
                onPointerMove={(event) => {
                    const box = event.currentTarget.getBoundingClientRect();
                    setStep(to.stepAt(((event.clientX - box.left) / box.width) * width));
                }}
                onPointerLeave={() => setStep(undefined)}
            >
                <Axes to={to} />
                {curves.base !== undefined && (
                    <line
                        class="base"
                        x1={left}
                        x2={width - right}
                        y1={to.y(curves.base)}
                        y2={to.y(curves.base)}
                    />
                )}
                <path class="train" d={path(train, to)} />
                <path class="held-out" d={path(curves.heldOut, to)} />
                {curves.heldOut.map((p) => (
                    <circle key={p.step} class="held-out" cx={to.x(p.step)} cy={to.y(p.loss)} r="4" />
                ))}
                {step !== undefined && <Tooltip curves={curves} to={to} step={step} />}
            </svg>
            <Legend curves={curves} />
        </figure>
    );
}

function Axes({ to }: { to: Scales }) {
    const t = useWords();
    const { low, high } = to.range;
    return (
        <g class="axes">
            {ticks(low, high).map((loss) => (
                <g key={`y${loss}`}>
                    <line x1={left} x2={width - right} y1={to.y(loss)} y2={to.y(loss)} />
                    <text x={left - 8} y={to.y(loss) + 4} text-anchor="end">{loss}</text>
                </g>
            ))}
            {ticks(0, to.steps).filter(Number.isInteger).map((step) => (
                <text key={`x${step}`} x={to.x(step)} y={height - bottom + 18} text-anchor="middle">
                    {step}
                </text>
            ))}
            <text x={(left + width - right) / 2} y={height - 4} text-anchor="middle">
                {t.plotSteps}
            </text>
            <text class="title" x={left} y={top - 3}>{t.plotLoss}</text>
        </g>
    );
}

function Legend({ curves }: { curves: Curves }) {
    const t = useWords();
    return (
        <figcaption>
            <span class="key-train">{t.trainLoss}</span>
            {curves.heldOut.length > 0 && <span class="key-held-out">{t.heldOutLoss}</span>}
            {curves.base !== undefined && <span class="key-base">{t.baseLoss}</span>}
        </figcaption>
    );
}

function Tooltip({ curves, to, step }: { curves: Curves; to: Scales; step: number }) {
    const t = useWords();
    const train = nearest(curves.train, step);
    const heldOut = nearest(curves.heldOut, step);
    const at = train?.step ?? heldOut?.step ?? 0;
    const lines = [t.plotStep(at)];
    if (train) lines.push(`${t.trainLoss} ${train.loss.toFixed(4)}`);
    if (heldOut) lines.push(`${t.heldOutLoss} ${heldOut.loss.toFixed(4)} (${heldOut.step})`);
    const flip = to.x(at) > width * 0.6;
    return (
        <g class="tooltip">
            <line x1={to.x(at)} x2={to.x(at)} y1={top} y2={height - bottom} />
            {train && <circle cx={to.x(at)} cy={to.y(train.loss)} r="4" />}
            <text y={top + 12} text-anchor={flip ? 'end' : 'start'}>
                {lines.map((line, i) => (
                    <tspan key={line} x={to.x(at) + (flip ? -10 : 10)} dy={i === 0 ? 0 : 17}>
                        {line}
                    </tspan>
                ))}
            </text>
        </g>
    );
}
