"""The case review: what one version of a model said of each study, with key images, input statistics and gates, for the model's team."""
