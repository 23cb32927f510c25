"""Segue's training side: corpus to tokens, the LSTM, ONNX. The only place for torch."""
