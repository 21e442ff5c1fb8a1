"""One GPU node: takes jobs from the orchestrator and keeps the workers that run them alive."""
