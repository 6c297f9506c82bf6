"""--do_export: a trained classifier in the forms that other programs load.

    with whole(folder) as made:          # exporter.py: output_dir/export, whole or not at all
        serving.py, saved_model.py       TensorFlow Serving, tf.saved_model.load
        tflite.py                        TensorFlow Lite, LiteRT
        onnx_graph.py                    onnxruntime and whatever else reads ONNX
        huggingface_folder.py            transformers
        comparison.py                    each of them answers what the model itself answers
        facts.py, card.py                README.md, the model card

All of it starts from a `Classifier`, arrays and settings: the optimizer's tensors are not in it.
"""
