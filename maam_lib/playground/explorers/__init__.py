"""Sliders over the method: thin shells of ipywidgets around plain functions. Nothing else here imports ipywidgets."""
