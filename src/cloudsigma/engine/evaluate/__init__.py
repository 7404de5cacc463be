"""Whether a rule matches a record: the definition, the generated predicate and the explainer."""
