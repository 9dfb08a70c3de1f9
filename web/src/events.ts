// Server-sent events out of a response body: the `data:` of each event, until `[DONE]`.

/// Yields each event's data. Comments and other fields are skipped. `complete.done` tells whether
/// the server said `[DONE]`: a stream that was cut ends without it, and otherwise looks the same.
export async function* eventData(
    body: ReadableStream<Uint8Array>,
    complete: { done: boolean },
): AsyncGenerator<string> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    try {
        for (;;) {
            const { value, done } = await reader.read();
            if (done) return;
            rest += decoder.decode(value, { stream: true });
            const events = rest.split(/\r?\n\r?\n/);
            rest = events.pop() ?? '';
            for (const event of events) {
                const data = dataOf(event);
                if (data === '[DONE]') {
                    complete.done = true;
                    return;
                }
                if (data !== '') yield data;
            }
        }
    } finally {
        reader.cancel().catch(() => undefined);
    }
}

function dataOf(event: string): string {
    return event
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).replace(/^ /, ''))
        .join('\n');
}
