"""Visual instruction tuning, small and from end to end: dialogues, a model of our own, training, its measure.

Needs the extra `tune` (torch, transformers); what makes dialogues and reads signed work needs nothing more than Kenpin.
"""
