"""Detector and pinpointer: configuration, training, evaluation, gates, artefacts, registry.

Torch comes in only where a model is trained or exported; what scores in operation
(`detection.scoring`) reads the exported artefact with onnxruntime.
"""
