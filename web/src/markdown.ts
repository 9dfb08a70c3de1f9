// Markdown from a model to DOM nodes. The model's words are hostile input: documents speak through
// them. So nothing here loads by itself, runs, or points anywhere but to http(s).
import DOMPurify from 'dompurify';
import { Marked, type RendererObject } from 'marked';

const tags = [
    'a', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'li',
    'ol', 'p', 'pre', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
];

function escape(text: string): string {
    return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

const renderer: RendererObject = {
    // HTML is shown as it was written. Models use <br> in table cells, where Markdown has no other.
    html: ({ text }) => (/^<br\s*\/?>$/i.test(text.trim()) ? '<br>' : escape(text)),
    // An image's address can carry words out of the conversation: it is never loaded.
    image: ({ text }) => (text ? `[${escape(text)}]` : ''),
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
};

const marked = new Marked({ gfm: true, breaks: true, renderer });

export function renderMarkdown(text: string): DocumentFragment {
    const html = marked.parse(text, { async: false });
    const fragment = DOMPurify.sanitize(html, {
        RETURN_DOM_FRAGMENT: true,
        ALLOWED_TAGS: tags,
        ALLOWED_ATTR: ['href', 'title', 'start', 'align'],
        ALLOWED_URI_REGEXP: /^https?:\/\//i,
        ALLOW_DATA_ATTR: false,
        ALLOW_ARIA_ATTR: false,
    });
    for (const link of fragment.querySelectorAll('a')) guardLink(link);
    return fragment;
}

/// A link opens apart from the console and always shows the host that it leads to.
function guardLink(link: HTMLAnchorElement): void {
    const host = hostOf(link.getAttribute('href') ?? '');
    if (!host) {
        link.replaceWith(...link.childNodes);
        return;
    }
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    link.referrerPolicy = 'no-referrer';
    if (link.textContent !== link.href && link.textContent !== host) {
        const shown = document.createElement('span');
        shown.className = 'host';
        shown.textContent = ` (${host})`;
        link.append(shown);
    }
}

function hostOf(address: string): string {
    try {
        const url = new URL(address);
        return url.protocol === 'http:' || url.protocol === 'https:' ? url.host : '';
    } catch {
        return '';
    }
}
