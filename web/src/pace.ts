// Shows growing text at a calm pace: at most one call every 50 ms, and the last one always.

const intervalMs = 50;

export class Pace {
    private timer: number | undefined;
    private lastMs = -intervalMs;

    constructor(private readonly show: () => void) {}

    /// Something has changed: show it now, or when the interval has passed.
    touch(): void {
        if (this.timer !== undefined) return;
        const waitMs = this.lastMs + intervalMs - performance.now();
        if (waitMs <= 0) this.now();
        else this.timer = window.setTimeout(() => this.now(), waitMs);
    }

    /// Shows what there is, without waiting.
    now(): void {
        window.clearTimeout(this.timer);
        this.timer = undefined;
        this.lastMs = performance.now();
        this.show();
    }
}
