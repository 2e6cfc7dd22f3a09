"""Small random models of each family, made and run by transformers.

Writes decoders/FAMILY/: config.json and model.safetensors as transformers saves them, and expected.safetensors
with tokens, logits of every position, the training loss with its gradients, the auxiliary loss and a greedy
continuation of 64 tokens. The DeepSeek family is built from transformers' Llama model and the layer below,
because transformers has no class for it.
"""

import json
import pathlib
import shutil

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, OlmoeConfig,
                          OlmoeForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM, Qwen3MoeConfig,
                          Qwen3MoeForCausalLM)

torch.set_num_threads(1)
COMMON = dict(vocab_size=96, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=128, initializer_range=0.3, eos_token_id=None, pad_token_id=None,
              bos_token_id=None, num_experts_per_tok=2, output_router_logits=True, attn_implementation="eager")
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 16}


class DeepSeekMoE(torch.nn.Module):
    """Section 3 of arXiv:2401.06066: softmax, the k best experts, no renormalization, shared experts added."""

    def __init__(self, hidden, inner, experts, k, shared):
        super().__init__()
        self.k = k
        self.gate = torch.nn.Linear(hidden, experts, bias=False)
        self.experts = torch.nn.ModuleList([self.network(hidden, inner) for _ in range(experts)])
        self.shared_experts = self.network(hidden, inner * shared)

    @staticmethod
    def network(hidden, inner):
        return torch.nn.ModuleDict({"gate_proj": torch.nn.Linear(hidden, inner, bias=False),
                                    "up_proj": torch.nn.Linear(hidden, inner, bias=False),
                                    "down_proj": torch.nn.Linear(inner, hidden, bias=False)})

    @staticmethod
    def run(network, x):
        return network["down_proj"](F.silu(network["gate_proj"](x)) * network["up_proj"](x))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        weights, chosen = torch.topk(self.gate(flat).softmax(-1), self.k, dim=-1)
        rows = []
        for token in range(flat.shape[0]):
            answers = [w * self.run(self.experts[e], flat[token]) for w, e in zip(weights[token], chosen[token])]
            rows.append(sum(answers))
        return torch.stack(rows).reshape(x.shape) + self.run(self.shared_experts, x)


def llama(**more):
    common = {k: v for k, v in COMMON.items() if k not in ("num_experts_per_tok", "output_router_logits")}
    return LlamaForCausalLM(LlamaConfig(**common, intermediate_size=48, **more))


def deepseek():
    model = llama(rope_theta=10000.0, rms_norm_eps=1e-6)
    for layer in list(model.model.layers)[1:]:
        layer.mlp = DeepSeekMoE(32, 24, 8, 3, 2)
        for p in layer.mlp.parameters():
            torch.nn.init.normal_(p, std=0.3)
    return model


def deepseek_config():
    return dict(model_type="deepseek", vocab_size=96, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-6, rope_theta=10000.0,
                hidden_act="silu", intermediate_size=48, moe_intermediate_size=24, n_routed_experts=8,
                n_shared_experts=2, num_experts_per_tok=3, first_k_dense_replace=1, moe_layer_freq=1,
                norm_topk_prob=False, scoring_func="softmax", aux_loss_alpha=0.001, eos_token_id=None,
                tie_word_embeddings=False, rope_scaling=None)


MODELS = {
    "mixtral": lambda: MixtralForCausalLM(MixtralConfig(**COMMON, intermediate_size=24, num_local_experts=4)),
    "mixtral-window": lambda: MixtralForCausalLM(MixtralConfig(**COMMON, intermediate_size=24, num_local_experts=4,
                                                               sliding_window=9, tie_word_embeddings=True)),
    "olmoe": lambda: OlmoeForCausalLM(OlmoeConfig(**{**COMMON, "num_experts_per_tok": 3}, intermediate_size=24,
                                                  num_experts=8, clip_qkv=2.0)),
    "qwen2_moe": lambda: Qwen2MoeForCausalLM(Qwen2MoeConfig(**COMMON, num_experts=4, moe_intermediate_size=24,
                                                            shared_expert_intermediate_size=40, intermediate_size=48,
                                                            mlp_only_layers=[1], rope_parameters=LLAMA3)),
    "qwen3_moe": lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**COMMON, num_experts=4, moe_intermediate_size=24,
                                                            head_dim=16, norm_topk_prob=True, intermediate_size=48,
                                                            rope_parameters=YARN)),
    "deepseek": deepseek,
    "llama": llama,
    "llama-biased": lambda: llama(head_dim=16, rope_parameters=LLAMA3, tie_word_embeddings=True, attention_bias=True,
                                  mlp_bias=True),
}


def greedy(model, tokens, count):
    """The continuation, and the smallest lead of a chosen token over the next best."""
    tokens, lead = tokens.clone(), float("inf")
    for _ in range(count):
        best = model(tokens).logits[0, -1].topk(2)
        lead = min(lead, (best.values[0] - best.values[1]).item())
        tokens = torch.cat([tokens, best.indices[:1][None]], dim=1)
    return tokens[0, -count:], lead


for number, (name, make) in enumerate(MODELS.items()):
    folder = pathlib.Path("decoders") / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for seed in range(100):
        torch.manual_seed(1000 * number + seed)
        model = make().float().eval()
        # Biases and norms start at constants; a test needs them to matter.
        for key, p in model.named_parameters():
            if key.endswith("bias") or "norm" in key:
                torch.nn.init.normal_(p, mean=1.0 if "norm" in key else 0.0, std=0.2)
        tokens = torch.randint(0, 96, (2, 20))
        with torch.no_grad():
            continuation, lead = greedy(model, tokens[:1], 64)
        if lead > 2e-3:  # Rounding differences must not decide.
            break
    output = model(tokens)
    loss = F.cross_entropy(output.logits[:, :-1].reshape(-1, 96), tokens[:, 1:].reshape(-1))
    loss.backward()
    expected = {"tokens": tokens, "logits": output.logits, "loss": loss, "greedy": continuation}
    if getattr(output, "aux_loss", None) is not None:
        expected["balance"] = output.aux_loss
    if name == "deepseek":
        save_file({k: v.detach().contiguous().clone() for k, v in model.state_dict().items()},
                  folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(deepseek_config(), indent=2) + "\n")
    else:
        model.save_pretrained(folder)
    for key, p in model.named_parameters():
        expected["grad/" + key] = torch.zeros_like(p) if p.grad is None else p.grad
    save_file({k: v.detach().contiguous().clone() for k, v in expected.items()}, folder / "expected.safetensors")
    for extra in folder.glob("generation_config.json"):
        extra.unlink()
    print(f"  {name}: seed {seed}, smallest lead {lead:.4f}")
