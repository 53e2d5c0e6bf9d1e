"""Structured content under PS3.15: content trees (Table E.3.4-1) and the graphics of presentation states (section E.3.3).

`content.clean_content` and `graphics.clean_graphics` change a data set in place and say what they did; `transforms.Transforms` is what
they ask for new UIDs, dates and texts. `transforms.SETTLED` names the attributes that must not be changed a second time.
"""
