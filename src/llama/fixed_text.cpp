// Written for this purpose and nowhere else to be found, so that no model has seen it. Two
// languages, several kinds of text: what a model's users give it. Changing a word makes all figures
// that were measured before worthless (kBuild in models/weights_cache.hpp must change with it).
#include "llama/perplexity.hpp"

namespace jikji::llama {
namespace {

constexpr std::string_view kEnglish = R"(The harbour master kept two notebooks. In the first she
wrote what the tide tables promised, and in the second what the sea had done. After nine years the
two disagreed by less than the width of a hand on most days, and by the height of a door on three
evenings that nobody in the village had forgotten. When the new engineer arrived from the city, he
asked to see the first notebook only, because the second could not be correct: it had been written
in pencil, by lamplight, by someone who had never learned to use a slide rule. She gave him both,
and a pot of coffee, and went out to look at the boats.

He read until midnight. In the morning he asked her why the water had risen so far on the third of
November, four years before, when there had been no storm. She said that there had been a storm,
only not here. The wind had blown for two days from the north-west, three hundred miles away, and
pushed the water into the bay as one pushes soup to the edge of a plate. "You cannot see the wind
from here," she said, "but you can see what it does to the plate." The engineer took out his pencil
and began a third notebook.

How to clean the filter. Turn the machine off and wait until the light has gone out. Open the door
at the back, press both tabs toward each other and pull the filter straight out. Rinse it under
warm water for about a minute; do not use soap, since what remains of it makes foam. Let it dry in
the air for a day. A wet filter blocks the fan, and the machine will show the number 14 and stop.
If the number stays although the filter is dry, the sensor behind it is dirty: wipe it with a soft
cloth. We recommend that the filter be replaced after two hundred hours or one year, whichever
comes first. Spare filters are sold in packs of three.

Question: Why does bread go stale faster in the refrigerator than on the table?
Answer: Staling is not drying. While bread is baked, its starch swells and loses its order; as it
cools, the starch slowly returns to crystals and squeezes out the water it had taken in. This
happens at any temperature above freezing, but it is quickest a few degrees above it, which is where
a refrigerator is kept. In a freezer the water cannot move, and the bread keeps for weeks. Toasting
a stale slice melts the crystals again, which is why it tastes fresh for as long as it is warm.

The committee met on Tuesday with seven of nine members present. The treasurer reported that the
roof had cost eleven per cent less than was planned, and that the difference had already been spent
on the drains. Mr Okafor asked whether the trees along the wall could be saved. The gardener
answered that two of them could, if the path were moved by a metre; the third was hollow, and would
come down in the next strong wind, with or without a decision. It was agreed to move the path. The
motion to change the opening hours was put off until September, because the people who would be
affected had not been asked. The meeting ended at half past nine, and the minutes were approved by
all but one, who had fallen asleep.

A queue is a promise about order. Whoever comes first is served first, and nobody has to argue about
it. But a queue is not always fair. A person who wants one stamp waits behind a person who wants to
send forty parcels to nine countries, and the clerk's time is shared by the number of people rather
than by the amount of work. Supermarkets know this and open a till for small baskets. Computers know
it as well: a program that only needs a moment is let in between the long ones, and the long ones
hardly notice. The price is that somebody must guess how long each job will take, and that people
learn to say that their job is small. A good rule is therefore one that stays good when everybody
tries to profit from it.

Dear Hanna, thank you for the seeds. I sowed half of them in the tray by the kitchen window and kept
the rest for spring, as you advised. The beans came up after six days, the peppers not at all, and
something that I did not sow is growing faster than either. My neighbour says that it is a tomato; I
think that it is a thistle with ambitions. The dog is well, although she has learned to open the
cupboard. We are going to the coast in the second week of June, and if you would like to join us,
there is a small room under the stairs with a bed and a view of the chimney. Write soon, and tell me
whether your brother has finished the boat, or the boat has finished him. Yours, Marta.

To find the area of a field with crooked sides, walk along its edge and write down each corner as
two numbers: so many paces east, so many paces north. Multiply the east of every corner by the north
of the next, and subtract the north of the first multiplied by the east of the next. Add all the
results, and halve the sum. If you walked against the sun, the number is negative, and you may
simply drop the sign. The method works for any field whose edge does not cross itself, and the
corners need not be at right angles. For example, a field with the corners (0, 0), (40, 0), (50, 30)
and (10, 30) has an area of 1,200 square paces.

def longest_run(values):
    best, current, previous = 0, 0, None
    for value in values:
        current = current + 1 if value == previous else 1
        best = max(best, current)
        previous = value
    return best
)";

constexpr std::string_view kKorean = R"(
할머니는 장독대에서 하루를 시작하셨다. 해가 담을 넘기 전에 뚜껑을 하나씩 열어 두고, 저녁이 되면
다시 덮으셨다. 비가 올 것 같은 날에는 마당에 나가 한참 동안 산 쪽을 바라보셨는데, 일기예보보다
할머니의 무릎이 더 잘 맞았다. 나는 그 까닭을 물은 적이 있다. 할머니는 웃으시며, 오래 쓴 것은
무엇이든 날씨를 안다고 하셨다.

이번 달 회의에서는 도서관의 운영 시간을 두고 이야기를 나누었다. 평일에는 저녁 여덟 시까지 문을
열고, 주말에는 한 시간 일찍 닫자는 의견이 많았다. 다만 시험 기간에는 학생들이 늦게까지 자리를
찾기 때문에, 그때만이라도 시간을 늘려 달라는 부탁이 있었다. 예산은 작년과 같으므로 사람을 더 뽑기는
어렵다. 결국 자원봉사자를 모집해 보고, 다음 달에 다시 정하기로 했다.

질문: 김치는 왜 시간이 지나면 시어집니까?
답변: 배추에 붙어 있던 젖산균이 당분을 먹고 젖산을 만들기 때문입니다. 온도가 높을수록 균이 빨리
자라므로 더 빨리 익고, 차게 두면 천천히 익습니다. 소금은 다른 균을 막아 주는 일을 합니다.

프린터가 종이를 물지 못하면 먼저 전원을 끄고 뒤쪽 덮개를 여십시오. 걸린 종이를 천천히 당겨서 빼고,
고무 롤러를 젖은 천으로 닦으십시오. 롤러가 마른 다음 덮개를 닫고 다시 켜면 됩니다. 같은 문제가 세 번
넘게 되풀이되면 부품을 바꾸어야 하니 고객 센터로 연락해 주십시오.
)";

}  // namespace

std::string_view fixed_english() { return kEnglish; }
std::string_view fixed_korean() { return kKorean; }

}  // namespace jikji::llama
