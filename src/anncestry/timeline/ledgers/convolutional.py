"""The fidelity ledgers of the published image networks."""

from anncestry.timeline.common import departure

_NETWORKS = "models/test_image_networks.py"
_LEDGER = "timeline/ledgers/test_convolutional.py"
_RECIPES = "timeline/ledgers/test_recipes.py"
_SMALL = departure(
    "images smaller than 64 x 64",
    "ImageNet's 224 x 224 alone",
    "fewer and narrower layers, an average to one position; the presets have the published sizes",
    why="five halvings leave nothing of a small image",
    test=f"{_LEDGER}::test_small_images_get_a_small_net",
)
_FIRST_ANSWERS = departure(
    "start of the last layer",
    "as the other layers",
    "N(0, 0.01^2), so that the first predictions are near undecided",
    test=f"{_LEDGER}::test_the_first_outputs_are_near_undecided",
)
_LAST_RELU = departure(
    "behind the last convolution",
    "a ReLU before the average",
    "none: a class whose map has become zero everywhere would never come back",
    "a ReLU before the average",
    test=f"{_LEDGER}::test_no_relu_before_the_average",
)
_ROUNDED_UP = departure(
    "pooling at the border",
    "not said",
    "what is left over at the border is pooled too",
    "the same: Caffe rounds sizes up",
    why="32 becomes 16, and no pixel is lost",
    test=f"{_LEDGER}::test_pooling_rounds_up",
)

LENET_5 = (
    departure(
        "codes",
        "drawings of characters, 7 x 12",
        "random signs, the same for everybody: any set of classes has some",
        test=f"{_LEDGER}::test_codes_are_the_same_for_everybody",
    ),
    departure(
        "loss",
        "distance to the right code, with a rubbish class (equations 8 and 9)",
        "cross-entropy over the negative distances: equation 9 without the rubbish class",
        why="every image that is trained on has a class",
        test=f"{_NETWORKS}::test_lenet5_is_its_definition",
    ),
    departure(
        "training",
        "stochastic diagonal Levenberg-Marquardt",
        "Adam",
        why="it, too, has a step for each weight",
        switch="--optimizer",
        test=f"{_RECIPES}::test_adam_by_default",
    ),
    departure(
        "border",
        "28 x 28 digits centred in a field of 32 x 32",
        "the edge is continued to 32",
        why="the background of standardised pixels is not 0",
        test=f"{_LEDGER}::test_the_edge_is_continued",
    ),
)

ALEXNET = (
    departure(
        "two groups",
        "two cards that exchange maps at two layers",
        "grouped convolutions on one device; response normalisation runs over both groups",
        switch="groups",
        test=f"{_NETWORKS}::test_alexnet_is_its_definition",
    ),
    departure(
        "input",
        "224 x 224, which gives 55 x 55 only as 227 x 227",
        "224 with a border of 2",
        test=f"{_LEDGER}::test_the_first_maps_of_alexnet_are_55_x_55",
    ),
    departure(
        "alpha of the response normalisation",
        "times the sum of five squares",
        "the same: PyTorch divides by five, so it is handed five times as much",
        "not consulted; Caffe and PyTorch divide by five",
        switch="response_norm",
        test=f"{_NETWORKS}::test_alexnet_is_its_definition",
    ),
    departure(
        "learning rate",
        "a tenth when the validation error stops to improve",
        "constant; `--schedule steps` divides at half and at three quarters",
        why="a schedule by the budget can be repeated",
        switch="--schedule",
        test=f"{_RECIPES}::test_what_presets_are_trained_with",
    ),
    departure(
        "preset alexnet-2014",
        "two groups, response normalisation",
        "Krizhevsky, 1404.5997, as torchvision has it: one group, none, fewer channels",
        why="it is what published weights fit",
        test="checkpoints/converters/test_image_networks.py::test_a_file_comes_in_and_goes_out_byte_for_byte",
    ),
    _SMALL,
    _FIRST_ANSWERS,
)

NIN = (_LAST_RELU, _ROUNDED_UP, _FIRST_ANSWERS)

VGG = (
    departure(
        "start",
        "shallow nets are trained first and deeper ones begin with their weights",
        "He's deviation (1502.01852), with which all depths train from the beginning",
        test=f"{_LEDGER}::test_vgg_starts_with_hes_deviation",
    ),
    _SMALL,
    _FIRST_ANSWERS,
)

ALL_CNN = (
    departure(
        "border",
        "not said",
        "zeros: every convolution with stride 1 keeps the image's size",
        test=f"{_NETWORKS}::test_every_way_to_go_coarser_halves_twice",
    ),
    departure(
        "nets of that name with max-pooling",
        "the base model C, and ConvPool-CNN-C",
        "three other ways to go coarser besides `conv`, which is All-CNN-C",
        switch="coarser",
        test=f"{_NETWORKS}::test_every_way_to_go_coarser_halves_twice",
    ),
    departure(
        "images",
        "whitened (ZCA) and normalised in contrast",
        "each channel standardised",
        why="one way for all nets of images",
        test="data/sources/test_images.py::test_sub_folders_are_classes",
    ),
    departure(
        "learning rate",
        "a tenth at 200, 250 and 300 of 350 epochs",
        "constant; `--schedule steps` divides at half and at three quarters",
        switch="--schedule",
        test=f"{_RECIPES}::test_what_presets_are_trained_with",
    ),
    _LAST_RELU,
    _FIRST_ANSWERS,
)

CONTEXT_NET = (
    departure(
        "output",
        "a class for every pixel",
        "the average of each class's map: one output for an image",
        why="that is what our tasks ask of images",
        test=f"{_LEDGER}::test_the_context_network_is_a_front_its_module_and_an_average",
    ),
    departure(
        "front end",
        "VGG-16 with its last two pooling layers removed",
        "one 3x3 convolution",
        why="the module is the paper's idea, and works on maps of any net",
        test=f"{_LEDGER}::test_the_context_network_is_a_front_its_module_and_an_average",
    ),
    departure(
        "dilations",
        "1 to 16 on 64 x 64 maps",
        "those that are smaller than the image",
        switch="dilations",
        test=f"{_LEDGER}::test_dilations_stay_within_the_image",
    ),
    departure(
        "a convolution without dilation",
        "has dilation 1",
        "has dilation 1",
        "is written as 0",
        why="PyTorch counts as the paper does",
        test=f"{_NETWORKS}::test_context_sees_what_the_paper_says",
    ),
)

RESNET = (
    departure(
        "stride of a bottleneck that halves the image",
        "in the first 1x1 convolution",
        "in the 3x3 one; `stride_first` has the paper's",
        "in the 3x3 one since the Torch version of 2016",
        why="no position is skipped; published weights fit",
        switch="stride_first",
        test=f"{_NETWORKS}::test_resnet_is_its_definition",
    ),
    departure(
        "option A",
        "zeros for the new channels",
        "zeros behind the old channels",
        "zeros behind the old channels",
        why="with zeros on both sides, as some have it, the weights would not fit",
        switch="shortcut",
        test=f"{_NETWORKS}::test_resnet_is_its_definition",
    ),
    departure(
        "learning rate on CIFAR",
        "a tenth at 32,000 and 48,000 of 64,000 steps",
        "a tenth at half and at three quarters",
        "a tenth at half and at three quarters",
        switch="--schedule",
        test="training/test_optimizers.py::test_steps_fall_at_half_and_at_three_quarters",
    ),
    departure(
        "first steps of resnet-110",
        "a tenth of the learning rate until the training error is below 80 %",
        "the whole learning rate at once; `--warmup` lets it rise",
        why="a switch by the error could not be repeated",
        switch="--warmup",
        test=f"{_RECIPES}::test_what_presets_are_trained_with",
    ),
    departure(
        "weight decay",
        "not said on which parameters",
        "on all; `--decay-on matrices` spares biases and gains",
        "on all",
        switch="--decay-on",
        test="training/test_optimizers.py::test_decay_may_spare_biases_and_gains",
    ),
)

DENSENET = (
    departure(
        "channels of the first convolution on CIFAR",
        "16, or 2k with a bottleneck",
        "16, or 2k with a bottleneck",
        "2k for all; its published sizes agree with 16",
        switch="stem_channels",
        test="timeline/test_timeline.py::test_presets_count_what_they_say",
    ),
    departure(
        "dropout",
        "after every convolution but the first",
        "the same",
        "the same; torchvision's: the 3x3",
        switch="dropout",
        test=f"{_LEDGER}::test_dropout_follows_every_convolution_but_the_first",
    ),
    departure(
        "start of the convolutions",
        "He et al. (1502.01852), not said which of its two",
        "the one by fan-out",
        "by fan-out; torchvision's: by fan-in",
        test=f"{_LEDGER}::test_densenet_starts_by_fan_out",
    ),
    departure(
        "names of the weights",
        "-",
        "torchvision's",
        "numbers of a Torch container",
        test="checkpoints/converters/test_image_networks.py::test_older_names_of_densenet_are_understood",
    ),
    departure(
        "transition of an odd image",
        "does not occur",
        "the last row and column count too (28 x 28 to 14 to 7, 7 to 4)",
        test=f"{_LEDGER}::test_a_transition_keeps_the_last_row",
    ),
    departure(
        "running statistics where maps are computed again",
        "not said (1707.06990)",
        "move once in a step",
        "put back after the second pass; torchvision's move twice",
        switch="recompute",
        test=f"{_NETWORKS}::test_recomputing_changes_neither_gradients_nor_statistics",
    ),
)
