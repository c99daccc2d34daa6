# The nets' kernels, once for each precision of their 16-bit floats (gpu/cuda_launch.cuh).
foreach(precision f16 bf16)
  add_library(sp_cuda_${precision} OBJECT cuda_conv.cu cuda_depthwise.cu cuda_separable.cu cuda_window.cu cuda_map.cu cuda_reduce.cu)
  target_include_directories(sp_cuda_${precision} PRIVATE ${CMAKE_SOURCE_DIR})
endforeach()
target_compile_definitions(sp_cuda_bf16 PRIVATE SP_BF16)
# Hopper's own, for that device alone: no other runs its code.
foreach(precision f16 bf16)
  add_library(sp_cuda_wgmma_${precision} OBJECT cuda_conv_wgmma.cu)
  target_include_directories(sp_cuda_wgmma_${precision} PRIVATE ${CMAKE_SOURCE_DIR})
  set_target_properties(sp_cuda_wgmma_${precision} PROPERTIES CUDA_ARCHITECTURES 90a-real)
endforeach()
target_compile_definitions(sp_cuda_wgmma_bf16 PRIVATE SP_BF16)

# All of them, for the module and for tests that launch them.
add_library(sp_cuda_kernels INTERFACE)
target_sources(sp_cuda_kernels INTERFACE $<TARGET_OBJECTS:sp_cuda_f16> $<TARGET_OBJECTS:sp_cuda_bf16>
  $<TARGET_OBJECTS:sp_cuda_wgmma_f16> $<TARGET_OBJECTS:sp_cuda_wgmma_bf16>)

# The CUDA backend's module. A family of kernels is a line each: its .cu (kernels, launchers) and its host C.
add_library(sallyport_cuda MODULE
  cuda_module.c cuda_build_id.c cuda_device.c cuda_span.c cuda_tune.c cuda_agree.c
  cuda_net.c cuda_step.c cuda_plan.c cuda_build.c cuda_build_product.c cuda_build_move.c cuda_build_element.c cuda_build_separable.c
  cuda_weights.c cuda_gemm.c
  cuda_kernels.c
  cuda_pixels.cu cuda_pixels.c
  cuda_match.cu cuda_match.c cuda_match_plan.c cuda_match_bound.c cuda_gallery.c cuda_slab.c)
# The last bit of a resampled picture is the CPU's.
set_source_files_properties(cuda_pixels.cu PROPERTIES COMPILE_OPTIONS --fmad=false)
target_include_directories(sallyport_cuda PRIVATE ${CMAKE_SOURCE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
# What the module needs of the engine comes out of its library; only the entry leaves the module, so that nothing of it
# is confused with the program's own copy.
target_link_libraries(sallyport_cuda PRIVATE sp_cuda_kernels sp_gpu sp_core CUDA::cublasLt CUDA::cudart_static)
target_link_options(sallyport_cuda PRIVATE "LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cuda.map" LINKER:-Bsymbolic LINKER:--build-id)
set_target_properties(sallyport_cuda PROPERTIES
  PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
  LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda.map LINKER_LANGUAGE C
  BUILD_RPATH "$ORIGIN;${CUDAToolkit_LIBRARY_DIR}" INSTALL_RPATH "$ORIGIN;${CUDAToolkit_LIBRARY_DIR}")
add_dependencies(programs sallyport_cuda)
