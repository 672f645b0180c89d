"""Training loops: classifier, ADDA, masked autoencoder."""
