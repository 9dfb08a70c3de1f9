// Runs in the page: says each payload through the console, and looks at what became of it.
async (payloads) => {
    const forbidden = new Set([
        'audio', 'base', 'embed', 'form', 'iframe', 'img', 'input', 'link', 'math', 'meta', 'object',
        'script', 'style', 'svg', 'template', 'video',
    ]);
    const allowed = new Set([
        'align', 'class', 'href', 'referrerpolicy', 'rel', 'start', 'target', 'title',
    ]);
    const bad = [];

    const lookAt = (node, payload) => {
        if (forbidden.has(node.localName)) bad.push([node.localName, payload]);
        for (const { name, value } of node.attributes) {
            if (!allowed.has(name)) bad.push([name, payload]);
            if (name === 'href' && !/^https?:\/\//.test(value)) bad.push([value, payload]);
        }
        if (node.localName === 'a' && !/\bnoopener\b/.test(node.rel)) bad.push(['rel', payload]);
    };

    const all = (selector) => [...document.querySelectorAll(selector)];
    const done = () => all('.answer:not([data-state=working])').length;
    const until = async (test) => {
        while (!test()) await new Promise((resume) => setTimeout(resume));
    };
    const box = document.querySelector('#message');

    for (const payload of payloads) {
        window.speech.text = payload;
        const before = done();
        box.value = 'go';
        box.dispatchEvent(new InputEvent('input', { bubbles: true }));
        await until(() => document.querySelector('button[type=submit]:enabled'));
        document.querySelector('button[type=submit]').click();
        await until(() => done() === before + 1);
        const shown = all('.answer .markdown');
        if (shown.length !== before + 1) bad.push(['nothing shown', payload]);
        for (const node of shown.at(-1)?.querySelectorAll('*') ?? []) lookAt(node, payload);
        if (before === 40) {
            document.querySelector('.top .new-chat').click();  // a new chat, for speed
            await until(() => done() === 0);
        }
    }
    return { bad, runs: window.runs, violations: window.violations };
}
