"""Documents: upload, vector stores, search, answers with citations; Korean and English."""

import json
import re

import openai
import pytest
from documents import ENGLISH, KOREAN, pdf
from program import CHAT


@pytest.fixture(scope="module")
def library(server):
    """A vector store with three documents."""
    store = server.new_store("library")
    files = {name: server.upload(name, data, store=store) for name, data in {
        "도서관-안내.md": KOREAN.encode(),
        "observatory.md": ENGLISH.encode(),
        "valve.pdf": pdf(["Page one speaks of nothing much.",
                          "Close the red valve Q17 before you drain the boiler."]),
    }.items()}
    for name, file in files.items():
        assert file["status"] == "completed", (name, file["last_error"])
    return store


def search(server, store, query, **options):
    reply = server.post(f"/v1/vector_stores/{store}/search", {"query": query, **options})
    assert reply.status == 200, reply
    return reply.json()


def ask(server, store, question, **options):
    body = {"question": question, "vector_store_id": store, "temperature": 0, "max_tokens": 64}
    reply = server.post("/v1/answers", {**body, **options})
    assert reply.status == 200, reply
    return reply.json()


@pytest.mark.parametrize("question, file, words", [
    ("책은 며칠 동안 빌릴 수 있나요?", "도서관-안내.md", "14일"),
    ("연체료가 얼마인가요", "도서관-안내.md", "연체료는 받지 않는다"),
    ("When does the dome open to visitors?", "observatory.md", "19:30"),
    ("How large is the telescope's mirror?", "observatory.md", "62 centimetres"),
    ("Which valve must be closed before draining?", "valve.pdf", "Q17"),
])
def test_search_puts_the_right_document_first(server, library, question, file, words):
    page = search(server, library, question)
    assert page["object"] == "vector_store.search_results.page"
    assert page["search_query"] == [question] and page["has_more"] is False
    best = page["data"][0]
    assert best["filename"] == file and words in best["content"][0]["text"]
    assert best["content"][0]["type"] == "text" and 0 <= best["score"] <= 1
    assert best["file_id"].startswith("file-") and "attributes" in best


def test_search_through_the_client(client, library):
    page = client.vector_stores.search(library, query="dome opening hours", max_num_results=2)
    assert page.data[0].filename == "observatory.md" and len(page.data) <= 2


def test_a_particle_does_not_hide_a_word(server, library):
    assert search(server, library, "연체료")["data"][0]["filename"] == "도서관-안내.md"


@pytest.mark.parametrize("question, file, quote, place", [
    ("책은 며칠 동안 빌릴 수 있나요?", "도서관-안내.md", "14일", "대출"),
    ("When does the dome open to visitors?", "observatory.md", "19:30", "Opening hours"),
])
def test_an_answer_cites_file_heading_and_words(server, library, question, file, quote, place):
    answer = ask(server, library, question)
    assert answer["found"] is True and answer["text"].strip()
    first = answer["citations"][0]
    assert first["filename"] == file and quote in first["quote"]
    assert place in first["heading"] and first["index"] == 1


def test_a_pdf_is_cited_by_its_page(server, library):
    first = ask(server, library, "Which valve must be closed before draining the boiler?")
    assert first["citations"][0]["filename"] == "valve.pdf"
    assert first["citations"][0]["page"] == 2


def test_a_quote_stands_in_the_document_letter_for_letter(server, library):
    for citation in ask(server, library, "How large is the telescope's mirror?")["citations"]:
        if citation["filename"] == "observatory.md":
            assert " ".join(citation["quote"].split()) in " ".join(ENGLISH.split())


@pytest.mark.parametrize("question, words", [
    ("양자컴퓨터의 큐비트 오류율은 얼마인가요?", "모른다|모릅니다"),
    ("What is the GDP of Brazil in 2019?", "not in the documents"),
])
def test_what_is_not_there_is_said(server, library, question, words):
    answer = ask(server, library, question)
    assert answer["found"] is False and re.search(words, answer["text"]) and answer["citations"] == []


def test_answers_stream(server, library):
    body = {"question": "When does the dome open?", "vector_store_id": library, "stream": True,
            "max_tokens": 24, "temperature": 0}
    data, others = server.events("/v1/answers", body)
    events = [json.loads(one) for one in data if one != "[DONE]"]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "answer.start" and kinds[-1] == "answer.completed" and not others
    assert events[0]["citations"] and events[-1]["text"]


def test_the_client_walks_through_files_and_stores(client):
    file = client.files.create(file=("메모.txt", "한글 파일 이름".encode()), purpose="assistants")
    assert file.filename == "메모.txt" and file.bytes == len("한글 파일 이름".encode())
    assert client.files.wait_for_processing(file.id).status == "processed"
    assert client.files.retrieve(file.id).id == file.id
    assert client.files.content(file.id).read() == "한글 파일 이름".encode()
    store = client.vector_stores.create(name="mine", metadata={"kind": "test"})
    attached = client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
    assert attached.status == "completed"
    counts = client.vector_stores.retrieve(store.id).file_counts
    assert (counts.total, counts.completed) == (1, 1)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0
    assert client.vector_stores.delete(store.id).deleted


def test_lists_are_paged(client):
    made = [client.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(3)]
    seen = [file.id for file in client.files.list(limit=1, order="asc", purpose="user_data")]
    assert seen == made
    for one in made:
        client.files.delete(one)


@pytest.mark.parametrize("method, path, body", [
    ("GET", "/v1/files/file-none", None),
    ("DELETE", "/v1/files/file-none", None),
    ("GET", "/v1/files/file-none/content", None),
    ("GET", "/v1/vector_stores/vs_none", None),
    ("POST", "/v1/vector_stores/vs_none/search", {"query": "x"}),
    ("POST", "/v1/vector_stores/vs_none/files", {"file_id": "file-none"}),
    ("POST", "/v1/answers", {"question": "x", "vector_store_id": "vs_none"}),
])
def test_unknown_ids_are_404(server, method, path, body):
    reply = server.ask(method, path, body)
    assert reply.status == 404 and reply.error["message"]


@pytest.mark.parametrize("body, field", [
    ({}, "query"),
    ({"query": ""}, "query"),
    ({"query": "x", "max_num_results": 0}, "max_num_results"),
    ({"query": "x", "max_num_results": 51}, "max_num_results"),
    ({"query": "x", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
])
def test_wrong_searches_are_refused_by_name(server, library, body, field):
    reply = server.post(f"/v1/vector_stores/{library}/search", body)
    assert reply.status == 400 and reply.error["param"] == field, reply


def test_a_pdf_without_text_says_so(server):
    file = server.upload("scan.pdf", pdf(["", ""]), store=server.new_store())
    assert file["status"] == "failed"
    assert "no text" in file["last_error"]["message"].lower()


@pytest.mark.parametrize("name, data", [
    ("broken.pdf", b"%PDF-1.7\nthis is no pdf"),
    ("empty.txt", b""),
    ("noise.pdf", bytes(range(256)) * 40),
    ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(200)),
])
def test_what_cannot_be_read_fails_alone_with_a_reason(server, name, data):
    file = server.upload(name, data, store=server.new_store())
    if hasattr(file, "status"):
        assert file.status == 400 and file.error["message"]  # refused at once
    else:
        assert file["status"] == "failed" and file["last_error"]["message"]
    assert server.is_well()


def test_prompt_and_question_together(server, library):
    answer = ask(server, library, "When does the dome open?", model=CHAT, prompt={"id": "teacher"})
    assert answer["found"] is True
