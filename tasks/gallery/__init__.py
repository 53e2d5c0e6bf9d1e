"""The quality gallery: every volume of a lake, a release or a list of studies on one page, with its picture, its facts and its flags."""
