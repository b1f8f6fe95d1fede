"""One module for each foreign source of weights, in both directions where both are possible.

Tensor names of other programs stand here alone: in tables (`encoder_names`, `transformer_names`,
`recurrent_names`, the ``*_rows`` of `hugging_face`) that are read both ways.
"""
