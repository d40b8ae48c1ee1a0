"""The tour: five beginners' lessons, each in three arms, and what happens to them.

`app.create_tour` builds it. `lessons` are the lessons, `arms` makes three arms of each, `journal`
remembers what came in, `panel` shows it on every lesson's page, `attacks` plays the browser of an
impatient person, and `diagram` draws what was recorded.
"""
