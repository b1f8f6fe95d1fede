"""Inside a run at work, as one HTML page: hidden states and gates, feature maps, attention heads.

`anncestry.runs.inside.inspecting.inspect_run` makes the page of any run that has one. Nothing here imports
`anncestry.runs.run`, so that `Run.inspect` can call it.
"""
