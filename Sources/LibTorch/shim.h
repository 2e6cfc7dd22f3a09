// libtorch has a C++ interface only. This module carries its compiler and linker flags to CTorch,
// which is the one target that includes its headers.
