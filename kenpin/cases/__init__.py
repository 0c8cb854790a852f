"""Past defect cases: embedders, stores, the bundled cases, and carrying cases from one place to another."""
