"""Other people's hardest HTML, planted: the documents that parsers of HTML are tested with.

`python -m tests.corpora` fetches them by package name from the index: html5lib's tree-construction
tests, as it was released with them and as newer parsers carry them on, and those of the Web
Platform Tests. Each document becomes several with forms that post. Two judges, html5lib and lexbor,
then see whether every form that both see has got exactly one field, and all else is as it was.
"""
