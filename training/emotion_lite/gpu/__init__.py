"""Minutes of a GPU: strong teachers and a long distillation of emotion-lite, with no second spent idle."""
