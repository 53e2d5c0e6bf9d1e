"""Reader studies: several readers read the same cases under several modalities (with and without AI, say).

Fully crossed designs, analysed by the model of Obuchowski and Rockette 1995 as Hillis unified it (2005, 2007, 2014). Importable on its
own: it needs numpy and scipy, and nothing else of this software.

    from tasks.evaluation.readers import compare

    study = compare(scores, labels)                # scores of shape (modalities, readers, cases)
    study.random_readers_and_cases.differences[0]  # the first modality minus the second, with its interval

Sources: Obuchowski and Rockette, Commun Stat Simul Comput 1995;24:285. Hillis et al., Stat Med 2005;24:1579. Hillis, Stat Med
2007;26:596 (degrees of freedom) and 2014;33:330. Gallas, Pennello and Meyers, J Opt Soc Am A 2007;24:B70 (unbiased covariance).
"""

from tasks.evaluation.readers.anova import Analysis, Comparison, Estimate, Study, analyse
from tasks.evaluation.readers.covariance import COVARIANCES, FIGURES, Figures, figures
from tasks.evaluation.readers.study import compare, one_reader

__all__ = [
    "COVARIANCES", "FIGURES", "Analysis", "Comparison", "Estimate", "Figures", "Study", "analyse", "compare", "figures", "one_reader",
]  # fmt: skip
