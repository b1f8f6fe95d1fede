"""Pages about the inside of a model: hidden states and gates, feature maps, attention weights."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.report.inside.alignments import alignments_page
    from anncestry.report.inside.attention import attention_page
    from anncestry.report.inside.generated import generated_page
    from anncestry.report.inside.image import image_page
    from anncestry.report.inside.recurrent import inside_page

__all__ = ["alignments_page", "attention_page", "generated_page", "image_page", "inside_page"]
__getattr__, __dir__ = hand_on(__name__)
