"""Rule expressions: the language, its errors, and the evaluator in a real server."""
