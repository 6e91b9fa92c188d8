"""Procedural kitchens: untrimmed first-person videos with sound, of the eight verbs, made without any recording.

A verb is a motion and a sound, the same in every kitchen; a kitchen is a look and a room, the same for every verb.
Every random factor is drawn from (seed, kitchen, number, name): `factors.py`. How what is seen moves can be rendered too,
as optical flow: `displacement.py`. Factors and their ranges are fields:

| what varies | with | where |
|---|---|---|
| colours, textures, light, camera, hands, utensils | the kitchen | `looks.Look` |
| materials, reverberation, hum, fan, microphone | the kitchen | `rooms.Room` |
| order of the places along the wall, things that stand there | the kitchen | `looks.draw_look`, `kitchen_wall.py` |
| time of the day, phase of the head's movements, sensor noise | the video | `scene.Mood`, `scene._noise` |
| order of the actions, pauses of 0.3 to 0.6 s and 0.07 s per place passed | the split, the video | `timeline.py` |
| place, size and timing of the motion, tilt, utensil, loudness, pitch | the clip | `verbs.Act` |
| duration (median 1.7 s, 1.2 to 3.5 s), hand, place, repetitions | the clip | `verbs.draw_act`, `verbs.RATES` |
| noise of water and cloth, loudness of each knock, bubbles | the clip | `sounds.py` |

| verb | id | seen | heard |
|---|---|---|---|
| take | 0 | a hand reaches for a thing and carries it away | cloth, at times a faint clink: nearly silent |
| put | 1 | the reverse | cloth and a soft, low thud: nearly silent |
| open | 2 | the leaf of a cupboard swings open, its dark inside shows | a latch clicks, a creak that rises |
| close | 3 | the leaf swings shut | a creak that falls, a bang |
| wash | 4 | hands rub, or rub a plate, under a running tap | broad noise of water that wavers |
| cut | 5 | a knife goes up and down, slices fall off | a knock whenever the knife is down |
| mix | 6 | a spoon goes round in a bowl or pan | swishes, once a turn the vessel rings |
| pour | 7 | a jug tilts, a glass fills | bubbles and a tone that rises as the glass fills |
"""

from egonorm.data.sets.synthetic.rendering import KitchensConfig, render_kitchens
from egonorm.data.sets.synthetic.verbs import CLASSES

__all__ = ["CLASSES", "KitchensConfig", "render_kitchens"]
