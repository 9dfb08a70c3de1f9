"""The documents that the tests take in: written here, so that every expected answer stands here."""

KOREAN = """# 가람 도서관 이용 안내

## 대출

가람 도서관에서는 한 사람이 책을 7권까지 14일 동안 빌릴 수 있다.
예약한 사람이 없으면 한 번에 한해 7일을 더 연장한다.

## 연체

반납이 늦으면 늦은 날수만큼 대출이 멈춘다. 연체료는 받지 않는다.
"""

ENGLISH = """# Harbour Light observatory handbook

## Opening hours

The dome opens to visitors every Friday at 19:30, except in heavy rain.

## Telescope

The main telescope has a mirror of 62 centimetres and was built in Jena in 1911.
"""


def pdf(pages):
    """A PDF of plain Latin text, a string a page; an empty string makes a page without text."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", None,
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() if text else b""
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
                       b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects))
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\n"
                  b"startxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table, len(objects) + 1, len(out)))
